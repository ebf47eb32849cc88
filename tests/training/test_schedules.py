"""The learning rate over time, beside the schedules of PyTorch."""

import math
import re
from collections.abc import Callable

import pytest
from torch import nn, optim
from torch.optim import lr_scheduler

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.training.schedules import Schedule


def test_linear_falls_straight_and_warmup_stable_decay_at_the_end() -> None:
    assert rates(epochs=2, schedule="linear") == pytest.approx([1 - step / 8 for step in range(8)])
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    torchs, theirs = lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 20), []
    for _ in range(20):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        torchs.step()
    assert rates(epochs=5, schedule="linear") == pytest.approx(theirs)
    seen = rates(epochs=6, schedule="warmup_stable_decay", warmup_epochs=1, decay_share=0.25)
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8] + [1.0] * 16 + [0.8, 0.6, 0.4, 0.2])


def rates(steps_per_epoch: int = 4, **knobs: object) -> list[float]:
    config = TrainConfig(optimizer="sgd", learning_rate=1.0, **knobs)
    schedule = Schedule(config, steps_per_epoch * config.batch_size)
    return [schedule(step) for step in range(config.epochs * steps_per_epoch)]


TORCHS: dict[str, Callable[[optim.Optimizer, int], lr_scheduler.LRScheduler]] = {
    "cosine": lr_scheduler.CosineAnnealingLR,
    "multistep": lambda optimizer, _: lr_scheduler.MultiStepLR(optimizer, [20, 40], 0.1),
    "one_cycle": lambda optimizer, steps: lr_scheduler.OneCycleLR(
        optimizer, 1.0, steps, cycle_momentum=False
    ),
}


@pytest.mark.parametrize("name", TORCHS)
@pytest.mark.parametrize("epochs", [1, 12])
def test_rates_are_those_of_pytorchs_schedules(name: str, epochs: int) -> None:
    knobs = {"milestones": [4, 8]} if name == "multistep" else {}
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule, theirs = TORCHS[name](optimizer, 5 * epochs), []
    for _ in range(5 * epochs):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates(5, epochs=epochs, schedule=name, **knobs) == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_a_warm_up_is_pytorchs_linear_one_before_another() -> None:
    optimizer = optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    rise = lr_scheduler.LinearLR(optimizer, 1 / 9, total_iters=8)
    wave = lr_scheduler.CosineAnnealingLR(optimizer, 32)
    schedule, theirs = lr_scheduler.SequentialLR(optimizer, [rise, wave], [8]), []
    for _ in range(40):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates(epochs=10, schedule="cosine", warmup_epochs=2) == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"schedule": "cosine", "warmup_epochs": 0.9}, "warmup_epochs: 0.9 leaves no step after the warm-up"),
        ({"schedule": "one_cycle"}, "schedule: 'one_cycle' needs 4 steps to rise and fall, and there are 2"),
    ],
)
def test_a_schedule_that_so_few_steps_leave_without_effect_is_refused(
    knobs: dict[str, object], line: str
) -> None:
    config = TrainConfig(epochs=1, batch_size=32, **knobs)
    with pytest.raises(UserError, match=re.escape(line)):
        Schedule(config, 33).check()
    Schedule(config, 320).check()


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"warmup_epochs": 0.1}, "warmup_epochs 0.1 has no effect: an epoch has 2 steps"),
        ({"schedule": "multistep", "milestones": [3, 8]}, "milestones (3, 8) have no effect in 3 epochs"),
    ],
)
def test_a_part_of_a_schedule_without_effect_is_said(
    knobs: dict[str, object], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    Schedule(TrainConfig(epochs=3, batch_size=32, **knobs), 33).check()
    assert caplog.messages == [line]
    Schedule(TrainConfig(epochs=4, batch_size=32, **knobs), 320).check()
    assert len(caplog.messages) == 1


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
