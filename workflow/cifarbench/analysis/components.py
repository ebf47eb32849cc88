"""Where the noise between seeds comes from: a study that crosses `weights_seed` with `order_seed`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.predictions import images_right
from cifarbench.analysis.stats import image_floor

CROSSED = ("weights_seed", "order_seed")


class Components(NamedTuple):
    """Variances of the accuracy: what the initial weights add, what the order of the images, and the rest,
    which is their interplay."""

    weights: float
    order: float
    rest: float

    @property
    def total(self) -> float:
        return self.weights + self.order + self.rest


def components(members: Sequence[Configuration]) -> Components | None:
    """Take the variance of a crossed study apart; None unless every weights seed was trained with every order
    seed, and there are two of each."""
    cells = {tuple(c.first(f"config.{name}") for name in CROSSED): np.mean(c.accuracies) for c in members}
    rows, columns = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    if min(len(rows), len(columns)) < 2 or not len(cells) == len(members) == len(rows) * len(columns):
        return None
    return taken_apart(np.array([[cells[row, column] for column in columns] for row in rows]))


def taken_apart(values: np.ndarray) -> Components:
    """Take the variance of accuracies, (weights seeds, order seeds), apart: two-way analysis of variance with
    random effects (Searle, Casella and McCulloch, "Variance components", 1992)."""
    by_row, by_column = values.mean(1), values.mean(0)
    residuals = values - by_row[:, None] - by_column + values.mean()
    rest = float((residuals**2).sum()) / ((len(by_row) - 1) * (len(by_column) - 1))
    weights, order = (
        max(0.0, float(means.var(ddof=1)) - rest / len(others))
        for means, others in ((by_row, by_column), (by_column, by_row))
    )
    return Components(weights, order, rest)


def floor(members: Sequence[Configuration]) -> float | None:
    """Return the variance that there would be if each image were right or wrong by itself; None without
    predictions of every run."""
    right = [run for c in members for run in images_right(c)]
    if len(right) < sum(len(c.runs) for c in members) or len({len(run) for run in right}) != 1:
        return None
    return image_floor(np.stack(right))
