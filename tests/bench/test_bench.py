"""The benchmark of speed: its arithmetic, and that each way trains. How fast it is no test says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from cifarbench.bench import workflow as bench_workflow
from cifarbench.bench.peak import convolution, product
from cifarbench.bench.profile import profile, shares
from cifarbench.bench.steps import naive_steps, our_steps
from cifarbench.bench.training import WAYS, config_for, images_per_second, summarise
from cifarbench.cli.parser import main
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.records.speed import read_speed

CPU = torch.device("cpu")


def test_ratios_are_taken_within_rounds_and_their_median_counts() -> None:
    def times(*rates: float) -> list[dict[str, float]]:
        return [{"images_per_second": rate, "flops": 2 * rate, "peak_memory_bytes": rate} for rate in rates]

    measured = {"naive": times(100, 10, 50), "float32": times(300, 50, 100)}
    row = summarise("lenet5", 128, "float32", measured, {"float32": 1000.0, "bfloat16": 9000.0})
    assert row["ratio"] == 3
    assert row["ratio_quartiles"] == [2.5, 4]
    assert row["images_per_second"] == 100
    assert row["share_of_peak"] == pytest.approx(0.2)
    assert row["peak_memory_bytes"] == 300


@pytest.mark.parametrize("way", WAYS)
def test_every_way_takes_real_steps(tmp_path: Path, way: str) -> None:
    net = build_model(TRAINED, 10)
    before = [weight.detach().clone() for weight in net.parameters()]
    config = config_for("lenet5", 64, way)
    step = naive_steps(net, 64, CPU) if way == "naive" else our_steps(net, config, CPU, tmp_path)
    assert step() == 64
    assert images_per_second(step, 0.01, CPU) > 0
    assert not any(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_the_time_of_a_step_is_told_by_kind(tmp_path: Path) -> None:
    step = our_steps(build_model(TRAINED, 10), TRAINED, CPU, tmp_path)
    told = profile(step, CPU)
    assert {"convolution", "pooling", "linear"} <= told.keys()
    assert list(told.values()) == sorted(told.values(), reverse=True)
    assert 0.5 < sum(told.values()) <= 1 + 1e-9
    times = {"aten::mkldnn_convolution": 2.0, "aten::convolution_backward": 1.0, "aten::add": 1.0}
    assert shares(times) == {"convolution": 0.75, "add": 0.25}


def test_the_fastest_way_alone_is_profiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rates = {"naive": 100, "bfloat16": 400}

    def alone(way: str, *about: object) -> dict[str, Any]:
        told = {"profile": {"linear": 0.75, "add": 0.25}} if "profile" in about else {}
        rate = rates.get(way, 200)
        return {"images_per_second": rate, "flops": 2.0 * rate, "peak_memory_bytes": 1, **told}

    monkeypatch.setattr("cifarbench.bench.training.run_alone", alone)
    caplog.set_level("INFO")
    output = tmp_path / "bench.json"
    assert main(["bench", "--models", "baseline", "--rounds", "1", "--profile", "--output", str(output)]) == 0
    rows = {row["way"]: row for row in read_speed(output)["rows"]}
    assert [way for way, row in rows.items() if "profile" in row] == ["bfloat16"]
    assert rows["bfloat16"]["ratio"] == 4
    assert rows["bfloat16"]["share_of_peak"] == 2
    assert "bfloat16: linear 75 %, add 25 %" in caplog.text


@pytest.mark.parametrize("kind", [product, convolution])
def test_the_operations_of_a_peak_are_those_that_are_counted(kind: Callable[..., Any]) -> None:
    work, operations = kind("float32", CPU)
    with FlopCounterMode(display=False) as counter:
        work()
    assert operations == counter.get_total_flops()


def test_the_workflow_is_timed_in_rounds_and_the_median_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds = iter([{"a job": 3.0}, {"a job": 9.0}, {"a job": 4.0}])
    monkeypatch.setattr(bench_workflow, "one_round", lambda _: next(rounds))
    assert main(["bench-workflow", "--rounds", "3", "--output", str(tmp_path / "bench.json")]) == 0
    written = json.loads((tmp_path / "bench.json").read_text())
    assert written["medians"] == {"a job": 4.0}
    assert written["all"] == {"a job": [3.0, 9.0, 4.0]}
    assert (bench_workflow.SNAKEFILE).exists()


def test_a_model_that_is_not_timed_is_refused(fails: Callable[..., str]) -> None:
    assert "invalid choice: 'lenet'" in fails("bench", "--models", "lenet", "--output", "x.json")


def test_figures_of_another_version_are_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"threads": 2, "rounds": 3, "rows": []}')
    with pytest.raises(UserError, match="was written by another version; remove it"):
        read_speed(path)


def test_a_gpu_that_is_not_there_is_said_before_anything_is_timed(fails: Callable[..., str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert "PyTorch sees no GPU here" in fails("bench", "--device", "cuda", "--output", "x.json")


TRAINED = config_for("lenet5", 64, "float32")
