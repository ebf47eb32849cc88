"""The statistics of the report: intervals over seeds, paired tests, and what noise a single seed has.

Runs of two configurations with the same seed share data order and, where the model is the same, initial
weights, so differences are taken seed by seed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.95


class Interval(NamedTuple):
    """A mean and the ends of its interval; the ends are None for a single value."""

    mean: float
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """Mean difference over n shared seeds, its interval, and the p-value of there being none."""

    n: int
    mean: float
    low: float | None
    high: float | None
    p: float | None


def t_interval(values: Sequence[float]) -> Interval:
    """Return the mean and Student's interval for it (Student, "The probable error of a mean", 1908)."""
    return _interval(values, 1 / len(values))


def prediction_interval(values: Sequence[float]) -> Interval:
    """Return the mean and where one further run would fall (Geisser, "Predictive Inference", 1993, ch. 2)."""
    return _interval(values, 1 + 1 / len(values))


def _interval(values: Sequence[float], variance_factor: float) -> Interval:
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean, None, None)
    deviation = float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * deviation * variance_factor**0.5
    return Interval(mean, mean - half, mean + half)


def paired_difference(first: dict[int, float], second: dict[int, float]) -> Difference | None:
    """Compare two configurations over the seeds that both have, by the paired t-test; None without any.

    Differences that are all the same need no test: p is 1 where they are zero, else 0.
    """
    seeds = sorted(first.keys() & second.keys())
    if not seeds:
        return None
    differences = np.array([first[seed] - second[seed] for seed in seeds])
    mean, low, high = t_interval(differences.tolist())
    if len(seeds) < 2:
        return Difference(1, mean, None, None, None)
    if np.ptp(differences) == 0:
        return Difference(len(seeds), mean, mean, mean, 1.0 if mean == 0 else 0.0)
    return Difference(len(seeds), mean, low, high, float(stats.ttest_1samp(differences, 0).pvalue))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being several; Holm, "A simple sequentially rejective test procedure", 1979."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted.tolist()


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact p-value that two models err equally, from the images that only one gets right.

    McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    together = only_first + only_second
    return float(stats.binomtest(only_first, together).pvalue) if together else 1.0


def single_seed_noise(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation over seeds, pooled over configurations; None without repeated seeds."""
    freedom = sum(len(values) - 1 for values in groups if len(values) > 1)
    if freedom == 0:
        return None
    squares = sum(float(np.var(values, ddof=1)) * (len(values) - 1) for values in groups if len(values) > 1)
    return (squares / freedom) ** 0.5


def chance_difference(deviation: float) -> float:
    """Return the difference of two single-seed figures that noise alone exceeds in one of twenty cases."""
    return float(stats.norm.ppf((1 + LEVEL) / 2)) * 2**0.5 * deviation
