"""The learning rate over time: a closed formula of the step, one for each schedule of `config.choices`."""

import logging
import math
from collections.abc import Callable
from typing import NamedTuple

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError

log = logging.getLogger(__name__)


class Moment(NamedTuple):
    """A step of the training, counted from 0 after the warm-up, of `steps`; `epoch` counts from the start."""

    step: int
    steps: int
    epoch: float


def constant(_config: TrainConfig, _moment: Moment) -> float:
    return 1.0


def multistep(config: TrainConfig, moment: Moment) -> float:
    return config.gamma ** sum(milestone <= moment.epoch for milestone in config.milestones)


def cosine(_config: TrainConfig, moment: Moment) -> float:
    """Half a wave from 1 to 0 (Loshchilov and Hutter, 2017)."""
    return (1 + math.cos(math.pi * moment.step / moment.steps)) / 2


def linear(_config: TrainConfig, moment: Moment) -> float:
    """Straight from 1 to 0, which the step after the last would reach."""
    return 1 - moment.step / moment.steps


def warmup_stable_decay(config: TrainConfig, moment: Moment) -> float:
    """1, and in the last `decay_share` of the steps straight to 0 (Hu et al., MiniCPM, 2024)."""
    return min(1.0, linear(config, moment) / config.decay_share)


def one_cycle(_config: TrainConfig, moment: Moment) -> float:
    """Half a wave from 1/25 to 1 in the first 30 % of the steps, then one down to 1/250,000.

    Smith and Topin, 2017, with the values and the form of PyTorch's OneCycleLR.
    """
    start, end = 1 / 25, 1 / 25 / 10_000
    top, last = 0.3 * moment.steps - 1, moment.steps - 1
    if moment.step <= top:
        return _wave(start, 1, moment.step / top)
    return _wave(1, end, (moment.step - top) / (last - top))


def _wave(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: dict[str, Callable[[TrainConfig, Moment], float]] = {
    "none": constant,
    "multistep": multistep,
    "cosine": cosine,
    "linear": linear,
    "warmup_stable_decay": warmup_stable_decay,
    "one_cycle": one_cycle,
}


def images_per_epoch(config: TrainConfig, images: int) -> int:
    """Return how many of the training images an epoch passes over."""
    return images - images % config.batch_size if config.last_batch == "drop" else images


class Schedule:
    """The learning rate of each step of a training on so many images.

    A linear warm-up reaches the full rate in the step after its last.
    """

    def __init__(self, config: TrainConfig, images: int) -> None:
        self.config = config
        self.steps_per_epoch = math.ceil(images_per_epoch(config, images) / config.batch_size)
        self.warmup = round(config.warmup_epochs * self.steps_per_epoch)
        self.steps = config.epochs * self.steps_per_epoch - self.warmup
        self.factor = SCHEDULES[config.schedule]

    def __call__(self, step: int) -> float:
        """Return the rate of a step, counted from 0 at the start of the training."""
        if step < self.warmup:
            return self.config.learning_rate * (step + 1) / (self.warmup + 1)
        moment = Moment(step - self.warmup, self.steps, step / self.steps_per_epoch)
        return self.config.learning_rate * self.factor(self.config, moment)

    def check(self) -> None:
        """Refuse a schedule that ends before it begins, and say which part of one has no effect."""
        config, per_epoch = self.config, f"an epoch has {self.steps_per_epoch} steps"
        if self.steps < 1:
            raise UserError(
                f"warmup_epochs: {config.warmup_epochs} leaves no step after the warm-up, and {per_epoch}; "
                "lower it"
            )
        if config.schedule == "one_cycle" and self.steps < 4:
            raise UserError(
                f"schedule: 'one_cycle' needs 4 steps to rise and fall, and there are {self.steps}; "
                "train for longer, or lower batch_size"
            )
        # As a training that max_epochs cuts short may have it, and published ones had it.
        if config.warmup_epochs and not self.warmup:
            log.warning("warmup_epochs %g has no effect: %s", config.warmup_epochs, per_epoch)
        if config.milestones and min(config.milestones) >= config.epochs:
            log.warning("milestones %s have no effect in %d epochs", config.milestones, config.epochs)
