"""`auto`: the fastest way is tried once, remembered, and computes what the same way by name computes."""

import json
from pathlib import Path

import pytest
import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.models.build import build_model
from cifarbench.training import trial
from cifarbench.training.engine import Engine
from helpers.repository import SMALL
from helpers.training import content, train

AUTO = ["--precision", "auto", "--memory-format", "auto"]
CPU = torch.device("cpu")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(trial, "user_cache_path", lambda _: tmp_path / "cache")
    return tmp_path / "cache" / "trials"


def test_the_fastest_way_is_tried_once_and_kept(
    digits: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = {"float32": 1.0, "bfloat16": 3.0, "contiguous": 0.5, "channels_last": 0.1}
    tried: list[tuple[str, ...]] = []

    def rate(way: tuple[str, ...], *_: object) -> float:
        tried.append(way)
        return sum(rates[value] for value in way)

    monkeypatch.setattr(trial, "rate", rate)
    first = train(digits, tmp_path / "first", *AUTO)
    assert len(tried) == 4
    assert first.in_force["precision"] == "bfloat16"
    assert first.in_force["memory_format"] == "contiguous"
    assert first.config.precision == "auto"
    second = train(digits, tmp_path / "second", *AUTO, "--learning-rate", "0.002", "--seed", "1")
    assert len(tried) == 4  # the answer of the first serves: neither knob changes the time of a step
    assert second.in_force["precision"] == "bfloat16"
    train(digits, tmp_path / "third", *AUTO, "--batch-size", "32")
    assert len(tried) == 8

    named = train(digits, tmp_path / "named", "--precision", "bfloat16")
    assert len(tried) == 8
    assert content(first)["final"] == content(named)["final"]


def test_only_what_is_auto_is_tried() -> None:
    ways = trial.ways(TrainConfig(precision="bfloat16", memory_format="auto"))
    assert ways == [("bfloat16", "contiguous"), ("bfloat16", "channels_last")]


def test_a_trial_measures_and_leaves_the_model_alone(
    digits: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.2)
    # A schedule of a single step, which PyTorch refuses to step again.
    config = TrainConfig(
        **{**SMALL, "batch_size": 1237}, schedule="one_cycle", precision="auto", memory_format="auto"
    )
    model = build_model(config, 10)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    chosen = trial.without_auto(config, model, load(digits, config, CPU), CPU, "")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    [path] = cache.glob("*.json")
    measured = json.loads(path.read_text())["images_per_second"]
    assert len(measured) == 4
    assert min(measured.values()) > 0
    assert measured[f"{chosen.precision} {chosen.memory_format}"] == max(measured.values())


def auto(digits: Path, **knobs: object) -> dict[str, object]:
    config = TrainConfig(**{**SMALL, **knobs}, precision="auto")
    model = build_model(config, 10)
    chosen = trial.without_auto(config, model, load(digits, config, CPU), CPU, "")
    return {"precision": chosen.precision, "memory_format": chosen.memory_format}


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Let bfloat16 be the fastest without a measurement; return the ways that were tried."""
    tried: list[tuple[str, ...]] = []
    monkeypatch.setattr(trial, "rate", lambda way, *_: (tried.append(way), len(way[0]))[1])
    return tried


def test_a_cache_that_cannot_be_written_is_done_without(
    digits: Path, cache: Path, rates: list[object], caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("a file where the folder would be")
    for _ in range(2):
        assert auto(digits)["precision"] == "bfloat16"
    assert len(rates) == 4
    assert caplog.text.count("the next run tries again") == 2


def test_without_a_home_nothing_is_kept_and_nothing_lands_in_the_working_folder(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rates: list[object]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(trial, "user_cache_path", lambda _: Path("~/.cache/cifarbench"))
    assert auto(digits)["precision"] == "bfloat16"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", '{"images_per_second": {"float32 contiguous": -1}}', "{}"])
def test_an_answer_that_cannot_be_read_is_found_again(
    digits: Path, cache: Path, rates: list[object], content: str
) -> None:
    auto(digits)
    [path] = cache.glob("*.json")
    whole = path.read_text()
    path.write_text(content)
    assert auto(digits)["precision"] == "bfloat16"
    assert path.read_text() == whole
    assert [name.name for name in cache.iterdir()] == [path.name]  # no lock, nothing half-written


def test_a_way_that_fails_here_is_left_out(
    digits: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.05)
    whole = Engine.warm_up

    def warm_up(engine: Engine) -> None:
        if engine.config.precision == "bfloat16":
            raise RuntimeError("bfloat16 is not supported on this device\nand more")
        whole(engine)

    monkeypatch.setattr(Engine, "warm_up", warm_up)
    assert auto(digits)["precision"] == "float32"
    assert "bfloat16 contiguous cannot be had here: bfloat16 is not supported on this device" in caplog.text
