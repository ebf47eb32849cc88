"""Statistics of the report: intervals over seeds, and tests of differences. Why these, docs/method.md says.

Runs of two configurations are independent samples, whatever their seeds: seeds are not correlated across
configurations. Pairs are taken only where both values come from the same runs. Below FEWEST values nothing is
tested.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import interpolate, special, stats

LEVEL = 0.95
ALPHA = 1 - LEVEL
# Of Games and Howell's test, which with few seeds errs more often than it says, most so in large families.
FAMILY_LEVEL = 0.03
FAMILY = 12  # configurations from which on it is lower
FEWEST = 3  # values of which a variance is worth anything


class Interval(NamedTuple):
    """A centre and the ends around it."""

    mean: float
    low: float
    high: float

    @property
    def half(self) -> float:
        return (self.high - self.low) / 2


def t_interval(values: Sequence[float], share: bool = False) -> Interval | None:
    """Return the mean and Student's interval for it (Student, "The probable error of a mean", 1908); of a
    `share` inside 0 to 1. None for fewer than FEWEST values."""
    return _interval(values, 1 / len(values), share)


def prediction_interval(values: Sequence[float], further: int = 1, share: bool = False) -> Interval | None:
    """Return where the mean of `further` runs more would fall (Geisser, "Predictive Inference", 1993)."""
    return _interval(values, 1 / further + 1 / len(values), share)


def _interval(values: Sequence[float], variance_factor: float, share: bool) -> Interval | None:
    if len(values) < FEWEST:
        return None
    mean, deviation = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * deviation * variance_factor**0.5
    if not share or not 0 < mean < 1:
        return Interval(mean, mean - half, mean + half)
    # On the scale of log odds, whose slope there is 1 / (mean * (1 - mean)).
    around = special.logit(mean) + np.array([-1, 1]) * half / (mean * (1 - mean))
    low, high = special.expit(around)
    return Interval(mean, float(low), float(high))


class Difference(NamedTuple):
    """The difference of two means, its standard error, the degrees of freedom, and how many values were
    compared with how many. An error of zero is a difference without any doubt."""

    mean: float
    error: float
    freedom: float
    seeds: tuple[int, int]

    def interval(self, level: float = LEVEL) -> Interval:
        return self._around(float(stats.t.ppf((1 + level) / 2, self.freedom)))

    def simultaneous(self, number: int, level: float) -> Interval:
        """Return the interval that excludes zero just where Games and Howell's test of that level tells the
        two apart, one of all pairs of `number` means."""
        return self._around(critical_range(number, self.freedom, level) / 2**0.5)

    def _around(self, quantile: float) -> Interval:
        half = quantile * self.error if self.error else 0.0
        return Interval(self.mean, self.mean - half, self.mean + half)

    def p_above(self, bound: float = 0.0) -> float:
        """Return the p-value against the difference being no larger than `bound`."""
        if self.error == 0:
            return 0.0 if self.mean > bound else 1.0
        return float(stats.t.sf((self.mean - bound) / self.error, self.freedom))

    def p_below(self, bound: float = 0.0) -> float:
        return Difference(-self.mean, *self[1:]).p_above(-bound)

    def p_equal(self) -> float:
        return min(1.0, 2 * min(self.p_above(), self.p_below()))

    def p_family(self, number: int) -> float:
        """Return Games and Howell's p-value, of all pairs of `number` means."""
        if self.error == 0:
            return 0.0 if self.mean else 1.0
        return _p_of_range(abs(self.mean) / self.error * 2**0.5, number, self.freedom)

    def differs(self, number: int, looks: int = 1) -> bool:
        """Say whether two of `number` means are told apart (Games and Howell, "Pairwise multiple comparison
        procedures with unequal n's and/or variances", 1976), in one of several looks."""
        low, high = self.simultaneous(number, family_level(number, looks))[1:]
        return low > 0 or high < 0


def family_level(number: int, looks: int = 1) -> float:
    """Return the level at which all pairs of `number` means are tested at each of several looks.

    Then a page that sets the best of all and of each study beside the others errs in at most 5 % of cases,
    by the simulation of `cifarbench bench-statistics`; several looks share the level (Bonferroni).
    """
    return FAMILY_LEVEL / max(1.0, number / FAMILY) ** 0.5 / looks


@functools.cache
def _p_of_range(distance: float, number: int, freedom: float) -> float:
    return float(np.clip(stats.studentized_range.sf(distance, number, freedom), 0, 1))


def welch(first: Sequence[float], second: Sequence[float], resolution: float = 0.0) -> Difference | None:
    """Return first minus second of independent values (Welch, "The generalization of Student's problem",
    1947); None for fewer than FEWEST of either.

    `resolution` is the step in which values are counted, 1 / images of an accuracy: no variance is taken
    to be below that of rounding to it.
    """
    if min(len(first), len(second)) < FEWEST:
        return None
    least = resolution**2 / 12
    a, b = (max(float(np.var(v, ddof=1)), least) / len(v) for v in (first, second))
    freedom = (a + b) ** 2 / (a**2 / (len(first) - 1) + b**2 / (len(second) - 1)) if a + b else np.inf
    mean = float(np.mean(first) - np.mean(second))
    return Difference(mean, (a + b) ** 0.5, freedom, (len(first), len(second)))


def paired(first: Sequence[float], second: Sequence[float], resolution: float = 0.0) -> Difference | None:
    """Return first minus second of values that come from the same runs, in the same order."""
    if len(first) < FEWEST:
        return None
    differences = np.subtract(first, second)
    if not differences.any():
        return Difference(0.0, 0.0, len(first) - 1, (len(first), len(first)))
    variance = max(float(np.var(differences, ddof=1)), resolution**2 / 6)  # of two rounded values
    error = (variance / len(first)) ** 0.5
    return Difference(float(differences.mean()), error, len(first) - 1, (len(first), len(first)))


@functools.cache
def _critical_ranges(number: int, level: float) -> interpolate.CubicSpline:
    """Return the logarithm of the critical studentized range as a function of 1 / degrees of freedom."""
    freedom = np.array([np.inf, 60, 20, 10, 7, 5, 4, 3, 2.5, 2])
    critical = stats.studentized_range.ppf(1 - level, number, freedom)
    return interpolate.CubicSpline(1 / freedom, np.log(critical))


def critical_range(number: int, freedom: float | np.ndarray, level: float) -> float:
    """Return the studentized range of `number` means that is exceeded in `level` of cases; within a
    thousandth, and without the ten milliseconds that scipy takes for each."""
    return np.exp(_critical_ranges(number, level)(1 / np.asarray(freedom)))[()]


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for being several; Holm, "A simple sequentially rejective test procedure", 1979."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted.tolist()


def equivalent(difference: Difference, margin: float) -> bool:
    """Say whether a difference lies within the margin, by two one-sided tests (Schuirmann, "A comparison of
    the two one-sided tests procedure and the power approach", 1987): its 90 % interval does."""
    low, high = difference.interval(1 - 2 * ALPHA)[1:]
    return -margin <= low and high <= margin


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact p-value that two models err equally, from the images that only one gets right.

    McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.
    """
    together = only_first + only_second
    return float(stats.binomtest(only_first, together).pvalue) if together else 1.0


def image_error(correct: np.ndarray) -> float:
    """Return the standard error of a mean accuracy that comes from the choice of test images, from which
    images each run got right, (runs, images)."""
    rates = correct.mean(0)
    return float(rates.std(ddof=1) / len(rates) ** 0.5)


def image_floor(correct: np.ndarray) -> float:
    """Return the variance that a run's accuracy would have if each image were right or wrong by itself, at
    its own rate over the runs: the sum of p * (1 - p) over images, without bias; from (runs, images)."""
    rates = correct.mean(0)
    return float((rates * (1 - rates)).sum()) * len(correct) / (len(correct) - 1) / correct.shape[1] ** 2


def single_seed_noise(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the standard deviation over seeds of a typical configuration; None without repeated seeds.

    It is the median of the configurations' variances, each set right for how far the median of a sample's
    variance lies below the true one, so that a few collapsing configurations do not count.
    """
    variances = [
        float(np.var(values, ddof=1)) * (len(values) - 1) / _median_of_chi2(len(values) - 1)
        for values in groups
        if len(values) > 1
    ]
    return float(np.median(variances)) ** 0.5 if variances else None


@functools.cache
def _median_of_chi2(freedom: int) -> float:
    return float(stats.chi2.median(freedom))


def chance_difference(deviation: float) -> float:
    """Return the difference of two single-seed figures that noise alone exceeds in one of twenty cases."""
    return float(stats.norm.ppf((1 + LEVEL) / 2)) * 2**0.5 * deviation


FALL = 0.05  # of accuracy below the best run of the configuration, from which a run may have collapsed
FALLS = 5  # standard deviations of a typical configuration below it


def collapsed(accuracies: Sequence[float], deviation: float | None) -> list[bool]:
    """Say of each run of a configuration whether it fell far below the best one."""
    limit = max(accuracies, default=0.0) - max(FALL, FALLS * (deviation or 0.0))
    return [value < limit for value in accuracies]


def excluded_rate(clean: int) -> float:
    """Return the share of collapsing runs that `clean` runs without one exclude, at LEVEL."""
    return 1 - ALPHA ** (1 / clean)
