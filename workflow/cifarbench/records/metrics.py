"""The one list of metrics: what runs are measured by, where a run's value stands, and how it is written.

A metric is one entry of METRICS. The page's table and its script, the files beside the page and the claims
all read that list. A run is a row as `cifarbench collect` tables it: the record's fields joined by dots.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Epochs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Metric:
    """`column` is the table's column that holds the value at the end of training, of the kept weights;
    `after` tells it from the epochs so far, and is None where epochs do not tell it. One of them is there:
    what has a column has one in the page's table and its files, too; what has none is for claims.

    A share of 1 is written in percent, and a difference of two shares in points.
    """

    title: str
    unit: str
    better: Literal["higher", "lower"] | None
    column: str | None = None
    after: Callable[[Epochs], float | None] | None = None
    factor: float = 1
    digits: int = 1
    significant: int = 0
    """Digits that a small value keeps, however many `digits` are."""
    varies: bool = True
    """Whether it can differ from seed to seed."""
    fewest_epochs: int = 1
    """That tell it."""

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.unit == "%"

    @property
    def unit_of_difference(self) -> str:
        return "points" if self.is_share else self.unit

    def of(self, run: Mapping[str, Any], epoch: int | None = None) -> float | None:
        """Return a run's value at the end of training or at an epoch (-1 is the last); None where a loss is
        not finite, or the epoch was not reached."""
        if epoch is None:
            value = run.get(self.column) if self.column else self._after(run["epochs"])
        else:
            last = epoch if epoch > 0 else len(run["epochs"]) + 1 + epoch
            value = self._after(run["epochs"][:last]) if 1 <= last <= len(run["epochs"]) else None
        return None if value is None or value != value else float(value)

    def _after(self, epochs: Epochs) -> float | None:
        assert self.after is not None
        return self.after(epochs)

    def write(self, value: float | None) -> str:
        """Write a value with its unit; a dash for none."""
        return "–" if value is None else f"{self.number(value)} {self.unit}".rstrip()

    def number(self, value: float) -> str:
        """Write a value without its unit."""
        scaled, digits = value * self.factor, self.digits
        if self.significant and scaled:
            digits = max(digits, self.significant - 1 - math.floor(math.log10(abs(scaled))))
        return f"{scaled:,.{digits}f}"

    def difference(self, value: float) -> str:
        """Write a difference of two values with its sign, without its unit."""
        return f"{value * self.factor:+z,.{self.digits}f}"

    def end(self, value: float) -> str:
        """Write an end of a difference's interval, in so many digits that its side of zero shows."""
        digits = (d for d in range(self.digits, self.digits + 3) if round(abs(value * self.factor), d))
        return f"{value * self.factor:+z,.{next(digits, self.digits)}f}"


def _last(field: str) -> Callable[[Epochs], float | None]:
    return lambda epochs: epochs[-1][field]


def _gap(epochs: Epochs) -> float:
    return float(epochs[-1]["running_train_accuracy"] - epochs[-1]["test_accuracy"])


def _swing(epochs: Epochs) -> float | None:
    """Return by how much the training loss rises from one epoch to the next, on average over the epochs."""
    losses = [epoch["running_train_loss"] for epoch in epochs]
    if len(losses) < 2 or None in losses:
        return None
    rises = [max(0.0, later - earlier) for earlier, later in pairwise(losses)]
    return sum(rises) / len(rises)


def _seconds(epochs: Epochs) -> float:
    return float(sum(epoch["train_seconds"] for epoch in epochs))


METRICS = {
    "test_accuracy": Metric(
        "Test accuracy", "%", "higher", "final.test.top1", _last("test_accuracy"), factor=100
    ),
    "test_loss": Metric("Test loss", "", "lower", "final.test.loss", _last("test_loss"), digits=3),
    "seconds": Metric("Training time", "s", "lower", "seconds.train", _seconds),
    "augmented_accuracy": Metric(
        "Test accuracy, several views", "%", "higher", "final.augmented_top1", factor=100
    ),
    "shifted_accuracy": Metric("Accuracy on extra tests", "%", "higher", "final.extra_top1", factor=100),
    "top5_accuracy": Metric("Top-5 accuracy", "%", "higher", "final.test.top5", factor=100),
    "calibration_error": Metric("Calibration error", "", "lower", "final.test.calibration_error", digits=3),
    "images_per_second": Metric("Images/s", "", "higher", "images_per_second", digits=0),
    "parameters": Metric("Parameters", "", "lower", "model.parameters", digits=0, varies=False),
    "flops": Metric("Forward pass", "MFLOPs", "lower", "model.flops", factor=1e-6, varies=False),
    # Running means over an epoch while the weights move, with dropout on.
    "train_accuracy": Metric(
        "Training accuracy", "%", "higher", after=_last("running_train_accuracy"), factor=100
    ),
    "train_loss": Metric("Training loss", "", "lower", after=_last("running_train_loss"), digits=3),
    "accuracy_gap": Metric("Training minus test accuracy", "points", "lower", after=_gap, factor=100),
    "loss_swing": Metric(
        "Rise of the training loss per epoch", "", "lower", after=_swing, digits=4, fewest_epochs=2
    ),
    "seconds_per_epoch": Metric(
        "Training time of an epoch", "s", "lower", after=lambda epochs: _seconds(epochs) / len(epochs)
    ),
}
TIMES = ("seconds", "images_per_second", "seconds_per_epoch")  # which depend on the hardware
