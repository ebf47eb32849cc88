"""Training on a real GPU; without one these tests are skipped, in CI too, which has none."""

from pathlib import Path

import pytest
import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.records.folder import WEIGHTS
from cifarbench.records.record import Record
from cifarbench.training.cuda_graph import leave_default_stream
from cifarbench.training.device import prepare_torch
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import stream_seed
from helpers import training as test_train
from helpers.repository import SMALL

GPU = torch.device("cuda")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no GPU here")
ALL_STREAMS = [
    "--model",
    "baseline",
    "--flip",
    "true",
    "--crop-padding",
    "4",
    "--cutout",
    "8",
    "--dropout",
    "0.5",
]
# Between them every optimizer that is recorded, and every way to compute.
RECIPES = {
    "sgd": ["--optimizer", "sgd", "--momentum", "0.9", "--learning-rate", "0.01", "--schedule", "cosine"],
    "rmsprop": ["--optimizer", "rmsprop"],
    "adadelta": ["--optimizer", "adadelta", "--learning-rate", "0.5"],
    "adam, all streams": ALL_STREAMS,
    "adamw, bfloat16": ["--optimizer", "adamw", "--precision", "bfloat16"],
    "channels last": ["--memory-format", "channels_last", "--precision", "bfloat16"],
}


def train(digits: Path, output: Path, *flags: str) -> Record:
    return test_train.train(digits, output, "--device", GPU.type, "--epochs", "3", *flags)


def engine_for(digits: Path, **knobs: object) -> Engine:
    config = TrainConfig(**{**SMALL, "flip": True, "crop_padding": 4, **knobs})
    prepare_torch(config, GPU, 1)
    leave_default_stream(GPU)
    torch.manual_seed(stream_seed(config.seed, "weights"))
    engine = Engine(config, load(digits, config, GPU), build_model(config, 10).to(GPU), GPU)
    engine.warm_up()
    return engine


@pytest.mark.parametrize("recipe", RECIPES)
def test_recorded_steps_train_as_launched_kernels_do(digits: Path, tmp_path: Path, recipe: str) -> None:
    recorded = train(digits, tmp_path / "recorded", *RECIPES[recipe])
    launched = train(digits, tmp_path / "launched", *RECIPES[recipe], "--cuda-graph", "false")
    for ours, theirs in zip(recorded.epochs, launched.epochs, strict=True):
        assert ours.running_train_loss == pytest.approx(theirs.running_train_loss, rel=0.02)
        assert ours.running_train_accuracy == pytest.approx(theirs.running_train_accuracy, abs=0.02)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_run_gives_the_same_bits(digits: Path, tmp_path: Path, recipe: str) -> None:
    for name in "ab":
        train(digits, tmp_path / name, *RECIPES[recipe])
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == (tmp_path / "b" / WEIGHTS).read_bytes()


def test_stopped_and_gone_on_it_ends_with_the_same_bits(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(digits, tmp_path / "whole", *ALL_STREAMS)
    steps, plain_step = 0, Engine.step

    def stopping_step(self: Engine, positions: torch.Tensor) -> None:
        nonlocal steps
        steps += 1
        assert self.checkpoint is not None
        self.checkpoint.stop_asked = steps == 30
        plain_step(self, positions)

    monkeypatch.setattr(Engine, "step", stopping_step)
    with pytest.raises(SystemExit):
        train(digits, tmp_path / "stopped", *ALL_STREAMS)
    assert train(digits, tmp_path / "stopped", *ALL_STREAMS).resumptions == 1
    assert (tmp_path / "whole" / WEIGHTS).read_bytes() == (tmp_path / "stopped" / WEIGHTS).read_bytes()


@pytest.mark.parametrize("model", BUILTIN_MODELS)
def test_no_step_waits_for_the_gpu(digits: Path, model: str) -> None:
    engine = engine_for(digits, model=model, schedule="cosine")
    assert engine.recorded is not None
    torch.cuda.set_sync_debug_mode("error")
    try:
        for positions in torch.randperm(len(engine.data.train)).to(GPU).split(64):
            engine.step(positions)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(engine.progress.total_loss)
