"""Adam's epsilon where Keras has it, in lockstep with Keras' published formula.

The reference is that formula in float64 NumPy, not a trace that Keras itself recorded: TensorFlow is not
among what is installed here. https://github.com/keras-team/keras/blob/v3.3.3/keras/src/optimizers/adam.py
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, ImageSet, load
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.plan.grid import config_of
from cifarbench.training.cuda_graph import to_be_recorded
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import stream_seed

STEPS, BATCH, IMAGES = 50, 8, 40
CPU = torch.device("cpu")
EPS, BETA_1, BETA_2 = 1e-7, 0.9, 0.999  # Keras' defaults


def small_data(digits: Path, config: TrainConfig) -> Data:
    data = load(digits, config, CPU)
    part = replace(data.train, rows=data.train.rows[:IMAGES])
    scale = replace(data.scale, mean=data.scale.mean.double(), std=data.scale.std.double())
    return replace(data, train=part, test=part, scale=scale)


def as_keras(
    model: torch.nn.Module, batches: Iterator[tuple[torch.Tensor, torch.Tensor]], rate: float
) -> None:
    """Train as `update_step` of Keras' Adam does."""
    weights = [parameter.detach().numpy() for parameter in model.parameters()]  # which share their memory
    moments = [(np.zeros_like(weight), np.zeros_like(weight)) for weight in weights]
    for step, (images, labels) in enumerate(batches, 1):
        model.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        alpha = rate * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
        for weight, (m, v), parameter in zip(weights, moments, model.parameters(), strict=True):
            gradient = parameter.grad.numpy()
            m += (gradient - m) * (1 - BETA_1)
            v += (np.square(gradient) - v) * (1 - BETA_2)
            weight -= m * alpha / (np.sqrt(v) + EPS)


def distance_from_keras(digits: Path, **knobs: Any) -> float:
    """Return how far the weights are from Keras' after STEPS, as a share of what they have moved."""
    config = TrainConfig(
        **{
            **{"dataset": "digits", "validation_images": 200, "conventions": "keras"},
            **{"batch_size": BATCH, "epochs": STEPS * BATCH // IMAGES, **knobs},
        }
    )
    data = small_data(digits, config)
    torch.manual_seed(stream_seed(0, "weights"))
    model = build_model(config, 10).double()
    reference, before = copy.deepcopy(model), flat(model)
    engine = Engine(config, data, model, CPU)
    engine.warm_up()
    engine.fit()
    assert engine.progress.steps == STEPS
    as_keras(reference.train(), batches(data, config), config.learning_rate)
    return float((flat(model) - flat(reference)).norm() / (flat(reference) - before).norm())


def batches(data: Data, config: TrainConfig) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = torch.Generator().manual_seed(stream_seed(0, "order"))
    part: ImageSet = data.train
    for _ in range(config.epochs):
        for positions in torch.randperm(len(part), generator=order).split(BATCH):
            images, labels = part.batch(positions)
            yield data.scale(images), labels


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([weights.detach().flatten().clone() for weights in model.parameters()])


@pytest.mark.parametrize(
    "knobs",
    [{"model": "lenet5"}, {"model": "baseline", "dropout": 0.0}, {"model": "inception10", "width": 0.25}],
    ids=lambda knobs: knobs["model"],
)
def test_fifty_steps_are_those_of_keras(digits: Path, knobs: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    assert distance_from_keras(digits, **knobs, eps_beside="uncorrected") < 1e-9
    # PyTorch's place for the same epsilon is another formula.
    assert distance_from_keras(digits, **knobs) > 1e-3


def test_it_is_another_run_and_adams_alone() -> None:
    assert TrainConfig(eps_beside="uncorrected").changed() == {"eps_beside": "uncorrected"}
    with pytest.raises(UserError, match="eps_beside 'uncorrected' has no effect with optimizer 'sgd'"):
        config_of({"optimizer": "sgd", "eps_beside": "uncorrected"}, None)


def test_an_epsilon_that_changes_is_not_recorded() -> None:
    gpu = torch.device("cuda")
    assert to_be_recorded(TrainConfig(), gpu)
    assert not to_be_recorded(TrainConfig(eps_beside="uncorrected"), gpu)
