"""A warm-up changes nothing: a training after one is, to the bit, a training without."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn, optim

from cifarbench.config.choices import OPTIMIZERS
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.models.build import build_model
from cifarbench.training import optimizers
from cifarbench.training.checkpoint import Checkpoint
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import stream_seed
from cifarbench.training.stopping import Interrupted
from helpers.repository import SMALL
from helpers.training import flat

CPU = torch.device("cpu")
KNOBS = {
    **{"model": "baseline", "flip": True, "crop_padding": 2, "dropout": 0.5},
    **{"validation_images": 20, "batch_size": 30, "epochs": 1},
}


def engine_for(few: Path, checkpoint: Checkpoint | None = None, **knobs: object) -> Engine:
    config = TrainConfig(**{**SMALL, **KNOBS, **knobs})
    torch.manual_seed(stream_seed(config.seed, "weights"))
    return Engine(config, load(few, config, CPU), build_model(config, 10), CPU, checkpoint)


def trained(few: Path, warm: bool, **knobs: object) -> Tensor:
    engine = engine_for(few, **knobs)
    if warm:
        engine.warm_up()
    engine.fit()
    buffers = [buffer.double().flatten() for buffer in engine.tested.buffers()]
    return torch.cat([flat(engine.tested).double(), *buffers])


@pytest.mark.parametrize(
    "knobs", [{"mixup": 1}, {"cutmix": 1}, {"ema_decay": 0.9}, {"gradient_clip": 1}], ids=str
)
def test_of_every_part_of_a_recipe(few: Path, knobs: dict[str, object]) -> None:
    assert trained(few, True, **knobs).equal(trained(few, False, **knobs))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_of_every_optimizer(few: Path, name: str) -> None:
    knobs = {"optimizer": name, "learning_rate": 2**-7, "conventions": "keras"}
    knobs |= {"momentum": 0.9} if "momentum" in OPTIMIZERS[name].reads else {}
    assert trained(few, True, **knobs).equal(trained(few, False, **knobs))


def test_of_one_whose_state_begins_with_ones(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nadam = optimizers.Kind(optim.NAdam, {"eps": "optimizer_eps"})
    monkeypatch.setitem(optimizers.OPTIMIZERS, "adam", nadam)
    assert trained(few, True).equal(trained(few, False))


class Counting(nn.Module):
    """Keeps what no state_dict has: a buffer that is not persistent."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.calls += 1
        return x * (1 + 0.01 * self.calls)


def test_of_a_model_whose_buffers_are_not_saved_with_its_weights(few: Path) -> None:
    ends = []
    for warm in (True, False):
        config = TrainConfig(**{**SMALL, "validation_images": 20})
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10), Counting())
        engine = Engine(config, load(few, config, CPU), model, CPU)
        if warm:
            engine.warm_up()
        engine.fit()
        ends.append(flat(model))
    assert ends[0].equal(ends[1])


def test_after_a_checkpoint(few: Path, tmp_path: Path) -> None:
    ends = []
    for warm in (True, False):
        checkpoint = Checkpoint(tmp_path / str(warm), {}, 1e9)
        first = engine_for(few, checkpoint)
        checkpoint.stop_asked = True
        with pytest.raises(Interrupted):
            first.fit()
        second = engine_for(few, Checkpoint(tmp_path / str(warm), {}, 1e9))
        assert second.progress.steps == 1
        if warm:
            second.warm_up()
        second.fit()
        ends.append(flat(second.model))
    assert ends[0].equal(ends[1])
    assert ends[0].equal(trained(few, False)[: len(ends[0])].float())


@pytest.mark.parametrize("resumed", [True, False])
def test_an_optimizer_whose_fast_way_fails_goes_on_without(
    few: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    resumed: bool,
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no kernel image is available\nand more")

    checkpoint = Checkpoint(tmp_path, {}, 1e9) if resumed else None
    if checkpoint:
        checkpoint.stop_asked = True
        with pytest.raises(Interrupted):
            engine_for(few, checkpoint).fit()
        checkpoint.stop_asked = False
    monkeypatch.setattr(torch, "_fused_adam_", fails)
    engine = engine_for(few, checkpoint)
    assert engine.optimizers.way == "fused"
    engine.warm_up()
    engine.fit()
    assert engine.optimizers.way == "default"
    assert caplog.text.count("fast way fails here (no kernel image is available)") == 1
    monkeypatch.undo()
    ours = flat(engine.model)
    theirs = trained(few, False)[: len(ours)].float()
    assert (ours - theirs).norm() < 1e-3 * theirs.norm()
