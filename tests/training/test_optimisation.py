"""Losses against the published figures and formulas, optimizers' defaults, schedules over time."""

import math

import pytest
import torch
from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.training.losses import make_loss
from cifarbench.training.optimizers import make_optimizer
from cifarbench.training.schedules import make_schedule

UNDECIDED = torch.zeros(10, 10)  # a network that gives every class the probability 0.1
EVERY_CLASS = torch.arange(10)


def loss_of(
    name: str, logits: torch.Tensor = UNDECIDED, labels: torch.Tensor = EVERY_CLASS, **knobs: object
) -> float:
    return make_loss(TrainConfig(loss=name, **knobs), nn.Linear(1, 1))(logits, labels).item()


def test_index_targets_give_the_losses_that_were_published() -> None:
    """Published: 27.6100 and 9.9929, whatever the network does; they come from targets of 0 to 9."""
    assert loss_of("mean_squared_error_index") == pytest.approx(27.6100, abs=5e-5)
    assert loss_of("binary_cross_entropy_index") == pytest.approx(9.9929, abs=5e-5)


def test_losses_on_one_hot_targets() -> None:
    assert loss_of("cross_entropy") == pytest.approx(math.log(10))
    assert loss_of("mean_squared_error") == pytest.approx((0.9**2 + 9 * 0.1**2) / 10)
    assert loss_of("binary_cross_entropy") == pytest.approx(-(math.log(0.1) + 9 * math.log(0.9)) / 10)
    assert loss_of("cross_entropy", torch.eye(10) * 9, label_smoothing=0.1) == pytest.approx(
        nn.functional.cross_entropy(torch.eye(10) * 9, EVERY_CLASS, label_smoothing=0.1).item()
    )


def test_binary_cross_entropy_clips_as_keras_does() -> None:
    certain = torch.eye(10).roll(1, 0) * 1000
    assert loss_of("binary_cross_entropy", certain) == pytest.approx(-2 * math.log(1e-7) / 10, rel=1e-2)


def test_the_penalty_of_the_last_layer_is_added() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 10))
    loss = make_loss(TrainConfig(last_layer_l2=0.01), model)(UNDECIDED, EVERY_CLASS)
    assert loss.item() == pytest.approx(math.log(10) + 0.01 * model[1].weight.square().sum().item())
    loss.backward()
    assert model[0].weight.grad is None
    assert torch.allclose(model[1].weight.grad, 0.02 * model[1].weight)


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adagrad", "adadelta", "adam", "adamw"])
def test_optimizers_take_their_values_from_the_conventions(name: str) -> None:
    def settings(**knobs: object) -> dict[str, object]:
        return make_optimizer(TrainConfig(optimizer=name, **knobs), nn.Linear(1, 1)).defaults

    kinds = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam", "adamw": "AdamW"}
    plain = getattr(torch.optim, kinds.get(name, name.title()))(nn.Linear(1, 1).parameters(), lr=0.001)
    neutral = {"weight_decay": 0, "fused": None}
    assert {**settings(), **neutral} == {**plain.defaults, **neutral}
    keras = settings(conventions="keras", weight_decay=0.5)
    assert keras["weight_decay"] == 0.5
    if name != "sgd":
        assert keras["eps"] == 1e-7
    if name == "adagrad":
        assert keras["initial_accumulator_value"] == 0.1


def rates(steps_per_epoch: int = 4, **knobs: object) -> list[float]:
    config = TrainConfig(optimizer="sgd", learning_rate=1.0, **knobs)
    optimizer = make_optimizer(config, nn.Linear(1, 1))
    schedule = make_schedule(config, optimizer, steps_per_epoch)
    seen = []
    for _ in range(config.epochs * steps_per_epoch):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if schedule:
            schedule.step()
    return seen


def test_without_a_schedule_the_rate_stays() -> None:
    assert set(rates(epochs=2)) == {1.0}


def test_multistep_falls_at_its_epochs_and_never_if_they_are_not_reached() -> None:
    assert rates(epochs=4, schedule="multistep", milestones=[1, 3]) == pytest.approx(
        [1.0] * 4 + [0.1] * 8 + [0.01] * 4
    )
    assert set(rates(epochs=10, schedule="multistep", milestones=[30, 80])) == {1.0}


def test_cosine_follows_half_a_wave() -> None:
    expected = [(1 + math.cos(math.pi * step / 40)) / 2 for step in range(40)]
    assert rates(epochs=10, schedule="cosine") == pytest.approx(expected)


def test_one_cycle_rises_to_the_learning_rate_and_falls() -> None:
    seen = rates(epochs=10, schedule="one_cycle")
    assert seen[0] == pytest.approx(1 / 25)
    assert max(seen) == pytest.approx(1.0)
    assert seen.index(max(seen)) == 11
    assert seen[-1] < 1e-4


@pytest.mark.parametrize("schedule", ["none", "cosine", "multistep"])
def test_warm_up_rises_linearly_and_then_the_schedule_begins(schedule: str) -> None:
    knobs = {"milestones": [9]} if schedule == "multistep" else {}
    seen = rates(epochs=10, schedule=schedule, warmup_epochs=1, **knobs)
    assert seen[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert max(seen) == pytest.approx(1.0)
    if schedule == "multistep":
        assert seen[35:37] == pytest.approx([1.0, 0.1])
    if schedule == "cosine":
        assert seen[-1] == pytest.approx((1 + math.cos(math.pi * 35 / 36)) / 2)
