"""Ten steps of each optimizer, loss, schedule and way to compute, beside a plain loop."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, Scaling, load
from cifarbench.models.build import build_model
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import stream_seed
from helpers.repository import SMALL, needs
from helpers.training import flat

CPU = torch.device("cpu")
# Each optimizer with Keras' values and PyTorch's, each loss and each schedule, as PyTorch writes them.
RECIPES: dict[str, tuple[dict[str, object], Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ({}, torch.optim.SGD),
    "sgd, nesterov, decay": (
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1.0},
        partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=1.0),
    ),
    "rmsprop": (
        {"optimizer": "rmsprop", "learning_rate": 0.001, "conventions": "keras", "momentum": 0.5},
        partial(torch.optim.RMSprop, alpha=0.9, eps=1e-7, momentum=0.5),
    ),
    "adagrad": (
        {"optimizer": "adagrad", "learning_rate": 0.001, "conventions": "keras"},
        partial(torch.optim.Adagrad, initial_accumulator_value=0.1, eps=1e-7),
    ),
    "adadelta": (
        {"optimizer": "adadelta", "learning_rate": 1.0},
        partial(torch.optim.Adadelta, rho=0.9, eps=1e-6),
    ),
    "adam": ({"optimizer": "adam", "learning_rate": 0.001}, partial(torch.optim.Adam, eps=1e-8)),
    "adamw": (  # with an eps that keeps the sign of a gradient near zero, which is rounding, from deciding
        {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 1.0, "optimizer_eps": 1e-3},
        partial(torch.optim.AdamW, eps=1e-3, weight_decay=1.0),
    ),
}
FORMULAS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "mean_squared_error": lambda z, y: F.mse_loss(z.softmax(1), F.one_hot(y, 10).to(z)),
    "binary_cross_entropy": lambda z, y: F.binary_cross_entropy(z.softmax(1), F.one_hot(y, 10).to(z)),
    "mean_squared_error_index": lambda z, y: F.mse_loss(z.softmax(1), y[:, None].to(z).expand(-1, 10)),
    "binary_cross_entropy_index": lambda z, y: (
        -(y[:, None] * z.softmax(1).log() + (1 - y[:, None]) * (1 - z.softmax(1)).log()).mean()
    ),
}
RATES: dict[str, tuple[dict[str, object], Callable[[int], float]]] = {  # of step 0 to 9, in epochs of 5 steps
    "multistep": ({"milestones": [1]}, lambda step: 0.1 if step >= 5 else 1.0),
    "cosine": ({}, lambda step: (1 + math.cos(math.pi * step / 10)) / 2),
    "cosine after a warm-up": (
        {"schedule": "cosine", "warmup_epochs": 0.4},
        lambda step: (step + 1) / 3 if step < 2 else (1 + math.cos(math.pi * (step - 2) / 8)) / 2,
    ),
}


def ten_steps(
    data_folder: Path,
    knobs: dict[str, object],
    make_optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.cross_entropy,
    rate: Callable[[int], float] = lambda _: 1.0,
    dtype: torch.dtype = torch.float32,
    tolerance: float = 1e-3,
) -> None:
    """Compare two epochs of five steps by the engine with PyTorch written out, in the engine's own order."""
    config = TrainConfig(
        **{**SMALL, "optimizer": "sgd", "learning_rate": 0.1, "batch_size": 250, "epochs": 2, **knobs}
    )
    data = load(data_folder, config, CPU)
    data = replace(data, scale=Scaling(data.scale.mean.to(dtype), data.scale.std.to(dtype)))
    torch.manual_seed(stream_seed(0, "weights"))
    model, plain = (build_model(config, 10).to(dtype) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    before = flat(plain)
    engine = Engine(config, data, model, CPU)
    engine.fit()

    order = torch.Generator().manual_seed(stream_seed(0, "order"))
    optimizer = make_optimizer(plain.parameters(), lr=config.learning_rate)
    images, labels = data.train.batch(slice(None))
    images = (images - data.scale.mean) / data.scale.std
    step, losses = 0, []
    for _ in range(2):
        for batch in torch.randperm(len(labels), generator=order).split(config.batch_size):
            optimizer.param_groups[0]["lr"] = config.learning_rate * rate(step)
            optimizer.zero_grad()
            losses.append(loss(plain(images[batch]), labels[batch]))
            losses[-1].backward()
            optimizer.step()
            step += 1
    assert step == 10
    ours, theirs = flat(model), flat(plain)
    assert (ours - theirs).norm() < tolerance * (theirs - before).norm()
    assert engine.progress.first_losses == pytest.approx([x.item() for x in losses[:5]], rel=tolerance)


@pytest.mark.parametrize("name", RECIPES)
def test_ten_steps_of_each_optimizer_equal_a_plain_loop(digits: Path, name: str) -> None:
    knobs, make_optimizer = RECIPES[name]
    ten_steps(digits, knobs, make_optimizer)


@pytest.mark.parametrize("name", FORMULAS)
def test_ten_steps_of_each_loss_equal_a_plain_loop(digits: Path, name: str) -> None:
    ten_steps(digits, {"loss": name}, loss=FORMULAS[name])


@pytest.mark.parametrize("name", FORMULAS)
def test_ten_steps_of_each_loss_in_float64_keep_its_precision(few: Path, name: str) -> None:
    knobs = {"loss": name, "validation_images": 20, "batch_size": 16}  # float64 is slow
    ten_steps(few, knobs, loss=FORMULAS[name], dtype=torch.float64, tolerance=1e-11)


@pytest.mark.parametrize("name", RATES)
def test_ten_steps_of_each_schedule_equal_a_plain_loop(digits: Path, name: str) -> None:
    knobs, rate = RATES[name]
    ten_steps(digits, {"schedule": name, **knobs}, rate=rate)


@pytest.mark.parametrize("knobs", [{"memory_format": "channels_last"}, {"compile": True}], ids=str)
def test_ten_steps_of_each_way_to_compute_equal_a_plain_loop(digits: Path, knobs: dict[str, object]) -> None:
    needs("g++")
    ten_steps(digits, knobs)


def ten_steps_by(config: TrainConfig, data: Data, each: Callable[[torch.nn.Module], None]) -> torch.nn.Module:
    """Train a LeNet-5 with plain SGD written out; `each` sees it before and after each step's update."""
    torch.manual_seed(stream_seed(0, "weights"))
    plain = build_model(config, 10)
    order = torch.Generator().manual_seed(stream_seed(0, "order"))
    optimizer = torch.optim.SGD(plain.parameters(), lr=config.learning_rate)
    images, labels = data.train.batch(slice(None))
    images = (images - data.scale.mean) / data.scale.std
    for batch in torch.randperm(len(labels), generator=order).split(config.batch_size):
        optimizer.zero_grad()
        F.cross_entropy(plain(images[batch]), labels[batch]).backward()
        each(plain)
        optimizer.step()
        each(plain)
    return plain


def test_a_clipped_gradient_and_an_average_equal_a_plain_loop(digits: Path) -> None:
    small = {**SMALL, "optimizer": "sgd", "learning_rate": 0.5, "batch_size": 250}
    config = TrainConfig(**small, gradient_clip=0.15, ema_decay=0.8)
    data = load(digits, config, CPU)
    torch.manual_seed(stream_seed(0, "weights"))
    engine = Engine(config, data, build_model(config, 10), CPU)
    theirs, norms, calls = [weight.detach().clone() for weight in engine.model.parameters()], [], 0

    def clip_and_average(plain: torch.nn.Module) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            norms.append(torch.stack([weight.grad.norm() for weight in plain.parameters()]).norm())
            for weight in plain.parameters():
                weight.grad *= min(1, 0.15 / norms[-1])
        else:
            for average, weight in zip(theirs, plain.parameters(), strict=True):
                average.copy_(0.8 * average + 0.2 * weight.detach())

    engine.warm_up()
    engine.fit()
    plain = ten_steps_by(config, data, clip_and_average)
    assert min(norms) < 0.15 < max(norms)  # some are clipped
    assert torch.allclose(flat(engine.model), flat(plain), atol=1e-4)
    averaged = torch.cat([average.flatten() for average in theirs])
    assert torch.allclose(flat(engine.tested), averaged, atol=1e-4)
    assert not torch.allclose(flat(engine.tested), flat(plain), atol=1e-4)
    kept = torch.cat([weight.flatten() for weight in engine.progress.kept_weights.values()])
    assert kept.equal(flat(engine.tested))  # what is saved is what was tested
