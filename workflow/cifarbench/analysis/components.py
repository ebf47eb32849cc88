"""Where the noise between seeds comes from: a study that crosses `weights_seed` with `order_seed`."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.predictions import images_right
from cifarbench.analysis.stats import image_floor

CROSSED = ("weights_seed", "order_seed")


class Components(NamedTuple):
    """Variances of the accuracy of a run: what the initial weights add, what the order of the images, what
    their interplay, and what else the seed draws, which only several seeds of one cell can tell."""

    weights: float
    order: float
    interplay: float
    others: float = 0.0

    @property
    def total(self) -> float:
        return sum(self)


def components(members: Sequence[Configuration]) -> Components | None:
    """Take the variance of a crossed study apart; None unless every weights seed was trained with every order
    seed, and there are two of each."""
    cells = {tuple(c.first(f"config.{name}") for name in CROSSED): c.accuracies for c in members}
    rows, columns = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    if min(len(rows), len(columns)) < 2 or not len(cells) == len(members) == len(rows) * len(columns):
        return None
    means = np.array([[np.mean(cells[row, column]) for column in columns] for row in rows])
    within, share = within_cells(list(cells.values()))
    return taken_apart(means, within, share)


def within_cells(cells: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Return the pooled variance over the seeds of a cell, 0 with one of each, and the share of it that the
    mean of a cell has."""
    freedom = sum(len(values) - 1 for values in cells)
    squares = sum(float(np.var(values)) * len(values) for values in cells)
    share = float(np.mean([1 / len(values) for values in cells]))
    return (squares / freedom if freedom else 0.0), share


def taken_apart(means: np.ndarray, within: float = 0.0, share: float = 1.0) -> Components:
    """Take the variance of accuracies apart by the means of cells, (weights seeds, order seeds): two-way
    analysis of variance with random effects, of unweighted means (Searle, Casella and McCulloch, "Variance
    components", 1992). Of the variance `within` cells the means have a `share`."""
    by_row, by_column = means.mean(1), means.mean(0)
    residuals = means - by_row[:, None] - by_column + means.mean()
    rest = float((residuals**2).sum()) / ((len(by_row) - 1) * (len(by_column) - 1))
    weights, order = (
        max(0.0, float(of.var(ddof=1)) - rest / len(across))
        for of, across in ((by_row, by_column), (by_column, by_row))
    )
    return Components(weights, order, max(0.0, rest - share * within), within)


def floor(members: Sequence[Configuration]) -> float | None:
    """Return the variance that there would be if each image were right or wrong by itself; None without
    predictions of every run."""
    right = [run for c in members for run in images_right(c)]
    if len(right) < sum(len(c.runs) for c in members) or len({len(run) for run in right}) != 1:
        return None
    return image_floor(np.stack(right))
