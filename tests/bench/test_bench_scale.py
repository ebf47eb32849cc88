"""What is measured at scale is what it is called."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cifarbench.analysis.table import collect
from cifarbench.bench.scale import TEST_IMAGES, cost, dry_run, floor, write_records
from cifarbench.sweep.expectation import outlook
from helpers.synthetic import record, synthetic


def jobs(call: list[str]) -> dict[str, str]:
    """Return how often a dry run would run each rule."""
    said = subprocess.run(call, capture_output=True, text=True, check=True).stdout
    table = said[said.index("Job stats:") :].split("\n\n", 1)[0]
    return dict(re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE))


def test_the_floor_has_the_shape_of_the_workflow(tmp_path: Path) -> None:
    ours = jobs(dry_run(tmp_path / "ours", 20))
    assert ours == jobs(floor(tmp_path / "floor", 20))
    assert ours["train"] == "20"


def test_a_command_costs_its_time_and_peak_memory() -> None:
    small = cost([sys.executable, "-c", ""])
    large = cost([sys.executable, "-c", "import time; held = b'x' * 10**8; time.sleep(0.1)"])
    assert large.seconds >= 0.1
    assert 0.9e8 < large.peak_bytes - small.peak_bytes < 1.5e8
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1"):
        cost([sys.executable, "-c", "raise SystemExit(3)"])


def test_copies_of_a_record_are_whole_results(tmp_path: Path) -> None:
    plan, _ = synthetic(configurations=2, seeds=2)
    data = {name: np.zeros(TEST_IMAGES, np.float32) for name in ("label", "predicted", "probability")}
    save_file(data, tmp_path / "predictions.safetensors")
    write_records(plan, record(plan, 0), tmp_path / "predictions.safetensors", tmp_path / "runs")
    assert outlook(plan, tmp_path / "runs").done == 4
    table = collect(plan, tmp_path / "runs", tmp_path / "runs.parquet")
    assert table["run"].tolist() == [run.id for run in plan.runs]
    assert len(table["correct"][3]) == TEST_IMAGES // 8
