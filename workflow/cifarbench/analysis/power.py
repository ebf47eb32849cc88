"""How many seeds would decide what is undecided, if noise and differences are as they look now."""

from collections.abc import Callable

from scipy import stats

from cifarbench.analysis.stats import ALPHA, FEWEST, LEVEL, critical_range, family_level

POWER = 0.8
MOST = 1000  # seeds; who needs more will not train them


def seeds_to_tell(effect: float, first: float, second: float, number: int, looks: int = 1) -> int | None:
    """Return the seeds of each of two that tell apart means `effect` apart, with standard deviations `first`
    and `second`, among all pairs of `number`; None for more than MOST."""
    level = family_level(number, looks)

    def critical(freedom: float) -> float:
        return critical_range(number, freedom, level) / 2**0.5

    return _fewest(lambda n: _power(effect, n, first, second, critical) >= POWER)


def seeds_to_order(effect: float, first: float, second: float) -> int | None:
    """Return the seeds that show in a one-sided test that one mean is above another."""
    return _fewest(lambda n: _power(effect, n, first, second, _one_sided) >= POWER)


def seeds_to_equal(difference: float, first: float, second: float, margin: float) -> int | None:
    """Return the seeds that show two means to lie within `margin`, in two one-sided tests."""

    def power(n: int) -> float:
        low, high = (_power(margin + sign * difference, n, first, second, _one_sided) for sign in (-1, 1))
        return low + high - 1

    return _fewest(lambda n: power(n) >= POWER)


def seeds_to_predict(deviation: float, margin: float, further: int = 1) -> int | None:
    """Return the seeds from which on `further` runs more are predicted to within `margin`, so often as noise
    is no larger than it looks."""
    level = (1 + LEVEL) / 2

    def half(n: int) -> float:
        return float(stats.t.ppf(level, n - 1)) * deviation * (1 / further + 1 / n) ** 0.5

    return _fewest(lambda n: half(n) <= margin)


def _one_sided(freedom: float) -> float:
    return float(stats.t.ppf(1 - ALPHA, freedom))


def _power(
    effect: float, seeds: int, first: float, second: float, critical: Callable[[float], float]
) -> float:
    """Return how often Welch's statistic of a true difference exceeds a critical value."""
    a, b = first**2 / seeds, second**2 / seeds
    if a + b == 0:
        return float(effect > 0)
    freedom = (seeds - 1) * (a + b) ** 2 / (a**2 + b**2)
    return float(stats.nct.sf(critical(freedom), freedom, effect / (a + b) ** 0.5))


def _fewest(decides: Callable[[int], bool]) -> int | None:
    """Return the smallest number of seeds that decides; the more, the better."""
    if not decides(MOST):
        return None
    low, high = FEWEST - 1, MOST  # low does not decide, or is too few; high does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle, high)
    return high
