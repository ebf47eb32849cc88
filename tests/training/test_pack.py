"""Packs: the same results as runs on their own, and nothing trained twice, whatever joins or fails."""

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cifarbench.cli.arguments import INTERRUPTED
from cifarbench.cli.parser import main
from cifarbench.config.ids import configuration_id, run_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UNPRINTABLE
from cifarbench.plan.grid import Run
from cifarbench.plan.packs import packs
from cifarbench.records.folder import CHECKPOINT, PACKED, RECORD, WEIGHTS
from cifarbench.records.record import read_record
from cifarbench.training import pack
from helpers.repository import SMALL, TABLE, run, trained, write_config
from helpers.training import same_result, stop_after_epoch_2, train

# Raises once it is past the check of a user's own model.
RUDE = r"""
from torch import nn

class Net(nn.Sequential):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 10:
            raise RuntimeError("\x1b]0;owned\x07")
        return super().forward(x)

def build(classes):
    return Net(nn.Flatten(), nn.Linear(3072, classes))
"""
KNOBS = "--validation-images 200 --batch-size 64 --epochs 1"


def plan_of(**axes: list[object]) -> list[Run]:
    configs = [
        TrainConfig(**SMALL, seed=seed, learning_rate=rate)
        for rate in axes["rates"]
        for seed in axes["seeds"]
    ]
    return [Run(id=run_id(c), configuration=configuration_id(c), config=c) for c in configs]


def test_packs_share_data_and_device_and_leave_out_a_single_run() -> None:
    runs = plan_of(rates=[0.001, 0.002], seeds=[0, 1, 2])
    other = Run(id="other", configuration="other", config=TrainConfig(**{**SMALL, "dataset": "cifar10"}))
    made = packs([*runs[:3], other, *runs[3:5]], 2, {})
    assert list(made.values()) == [[runs[0].id, runs[1].id], [runs[2].id, runs[3].id]]
    assert packs(runs, 1, {}) == {}


def test_a_packed_run_equals_one_on_its_own(digits: Path, tmp_path: Path) -> None:
    first, second = f"{KNOBS} --dropout 0.5 --model baseline", f"{KNOBS} --precision bfloat16 --flip true"
    assert main(["pack", first, second, "--data", str(digits), "--output", str(tmp_path)]) == 0
    for flags in (first, second):
        alone = train(digits, tmp_path / "alone", *flags.split())
        output = tmp_path / alone.run
        assert same_result(output / PACKED, tmp_path / "alone")
        assert train(digits, output, *flags.split()).finished == read_record(output / RECORD).finished
        assert same_result(output, tmp_path / "alone")
        assert not (output / PACKED).exists()
    assert read_record(output / RECORD).peak_memory_bytes > 0


def test_what_is_done_is_left_and_what_fails_is_left_to_its_own_job(
    digits: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broken = tmp_path / "broken.py"
    broken.write_text(
        "'A model.'\nfrom torch import nn\ndef build(classes):\n    return nn.Conv2d(1, 1, 9)\n"
    )
    runs = [f"{KNOBS} --model-file {broken} --model broken", f"{KNOBS} --seed 1", f"{KNOBS} --seed 2"]
    done = train(digits, tmp_path / run_id(TrainConfig(**{**SMALL, "seed": 1})), "--seed", "1")
    assert main(["pack", *runs, "--data", str(digits), "--output", str(tmp_path)]) == 0
    assert re.search(r"broken\S+: failed here, left to its own job: .*channels", caplog.text)
    assert f"{done.run}: done already" in caplog.text
    assert not (tmp_path / done.run / PACKED).exists()
    assert [path.parent.parent.name[-2:] for path in tmp_path.glob(f"*/{PACKED}/{RECORD}")] == ["s2"]


def test_a_result_from_other_data_is_not_taken(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["pack", KNOBS, "--data", str(digits), "--output", str(tmp_path)]) == 0
    output = tmp_path / run_id(TrainConfig(**SMALL))
    packed = read_record(output / PACKED / RECORD)
    monkeypatch.setattr(pack, "manifest_sha256", lambda _: "another")
    assert train(digits, output).seconds.total != packed.seconds.total


def test_a_move_that_was_killed_and_a_pack_that_was_stopped_leave_nothing_stuck(
    digits: Path, tmp_path: Path
) -> None:
    assert main(["pack", KNOBS, "--data", str(digits), "--output", str(tmp_path)]) == 0
    output = tmp_path / run_id(TrainConfig(**SMALL))
    whole = train(digits, tmp_path / "alone")
    (output / PACKED / WEIGHTS).unlink()
    (output / PACKED / CHECKPOINT).write_text("of a pack")
    assert train(digits, output).run == whole.run
    assert same_result(output, tmp_path / "alone")
    assert (output / f"{CHECKPOINT}.set-aside").read_text() == "of a pack"  # it was taken, and looked at
    assert not (output / PACKED).exists()


def test_a_pack_stopped_within_a_run_goes_on_with_it(digits: Path, tmp_path: Path) -> None:
    runs = [f"{KNOBS} --epochs 12", f"{KNOBS} --seed 1"]
    call = [
        sys.executable,
        "-m",
        "cifarbench",
        "pack",
        *runs,
        "--data",
        str(digits),
        "--output",
        str(tmp_path),
    ]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as running:
        stop_after_epoch_2(running)
    assert running.returncode == INTERRUPTED
    assert main([str(word) for word in call[3:]]) == 0
    records = [read_record(path) for path in sorted(tmp_path.glob(f"*/{PACKED}/{RECORD}"))]
    assert [record.resumptions for record in records] == [1, 0]
    alone = train(digits, tmp_path / "alone", "--epochs", "12")
    assert same_result(tmp_path / alone.run / PACKED, tmp_path / "alone")


@pytest.mark.usefixtures("ready")
def test_in_the_workflow_nothing_is_trained_twice(tmp_path: Path) -> None:
    rates = [0.001, 0.002, 0.003]
    config = write_config(tmp_path, {"learning_rate": rates}, pack=2)
    run(tmp_path, TABLE, "--configfile", config)
    logs = sorted(tmp_path.glob("results/packs/*.log"))
    assert sum(path.read_text().count("epoch    1") for path in logs) == 2  # the third is left over
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob(f"results/runs/*/{RECORD}")}
    assert len(times) == 3

    for size, wanted in ((1, rates), (2, [*rates, 0.004, 0.005])):
        write_config(tmp_path, {"learning_rate": wanted}, pack=size)
        would = trained(run(tmp_path, "--configfile", config, "--dry-run"))
        assert len(would) == len(wanted) - 3
    run(tmp_path, TABLE, "--configfile", config)
    assert len(list(tmp_path.glob(f"results/runs/*/{RECORD}"))) == 5
    assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    assert not list(tmp_path.glob(f"results/runs/*/{PACKED}"))


def test_what_a_model_raises_does_nothing_to_a_terminal(digits: Path, tmp_path: Path) -> None:
    """In the log of a training, which Snakemake shows, and in that of a pack; the traceback stays whole."""
    model = tmp_path / "rude.py"
    model.write_text(RUDE)
    own = [*KNOBS.split(), "--model", "rude", "--model-file", str(model)]
    python = [sys.executable, "-m", "cifarbench"]
    alone = [*python, "train", "--data", str(digits), "--output", str(tmp_path / "run"), *own]
    packed = [*python, "pack", " ".join(own), "--data", str(digits), "--output", str(tmp_path / "runs")]
    for call, code in ((alone, 1), (packed, 0)):
        done = subprocess.run(call, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == code, done.stderr
        assert r"\x1b]0;owned\x07" in done.stderr
        assert not UNPRINTABLE.search(done.stderr)
        assert ("Traceback" in done.stderr and "in forward" in done.stderr) == (code == 1)
