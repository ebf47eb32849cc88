"""Statistics against hand-computed values, scipy, and simulations of what they promise."""

import numpy as np
import pytest
from scipy import stats as reference

from cifarbench.analysis.stats import (
    chance_difference,
    holm,
    mcnemar,
    paired_difference,
    prediction_interval,
    single_seed_noise,
    t_interval,
)

TRIALS = 4000
# Of so many trials, the count that a share of 95 % leaves only once in ten thousand.
ALLOWED = 4 * (0.95 * 0.05 / TRIALS) ** 0.5


def test_t_interval_by_hand_and_as_scipy() -> None:
    mean, low, high = t_interval([1.0, 2.0, 3.0])  # t of 2 degrees of freedom is 4.3027
    assert (mean, low, high) == pytest.approx((2, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5))
    values = [0.59, 0.61, 0.6, 0.58]
    expected = reference.t.interval(0.95, 3, np.mean(values), reference.sem(values))
    assert t_interval(values)[1:] == pytest.approx(expected)
    assert t_interval([0.5]) == (0.5, None, None)


def test_paired_difference_as_scipy_and_only_over_shared_seeds() -> None:
    first, second = {0: 0.6, 1: 0.62, 2: 0.59, 7: 0.1}, {0: 0.58, 1: 0.61, 2: 0.585, 8: 0.9}
    expected = reference.ttest_rel([0.6, 0.62, 0.59], [0.58, 0.61, 0.585])
    difference = paired_difference(first, second)
    assert difference is not None
    assert difference.n == 3
    assert difference.p == pytest.approx(expected.pvalue)
    assert (difference.low, difference.high) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert paired_difference({0: 0.5}, {1: 0.5}) is None
    assert paired_difference({0: 0.5}, {0: 0.25}) == (1, 0.25, None, None, None)


def test_the_same_values_are_no_difference_and_a_constant_one_is_certain() -> None:
    same = {0: 0.6, 1: 0.61}
    assert paired_difference(same, same) == (2, 0, 0, 0, 1)
    shifted = paired_difference({0: 0.75, 1: 0.5}, {0: 0.5, 1: 0.25})
    assert shifted == (2, 0.25, 0.25, 0.25, 0)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_mcnemar_by_hand() -> None:
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 2**6)
    assert mcnemar(0, 0) == 1


def test_noise_is_pooled_over_configurations() -> None:
    assert single_seed_noise([[1.0, 3.0], [10.0, 10.0, 10.0], [5.0]]) == pytest.approx((2 / 3) ** 0.5)
    assert single_seed_noise([[1.0]]) is None
    assert chance_difference(0.014) == pytest.approx(1.96 * 0.014 * 2**0.5, rel=1e-4)


@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
def test_intervals_cover_as_often_as_they_say(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    covered = predicted = 0
    for _ in range(TRIALS):
        values = random.normal(0.7, 0.014, seeds + 1)
        _, low, high = t_interval(values[:-1].tolist())
        covered += low <= 0.7 <= high
        _, low, high = prediction_interval(values[:-1].tolist())
        predicted += low <= values[-1] <= high
    assert covered / TRIALS == pytest.approx(0.95, abs=ALLOWED)
    assert predicted / TRIALS == pytest.approx(0.95, abs=ALLOWED)


def test_among_equal_configurations_one_is_told_apart_at_most_in_one_study_of_twenty() -> None:
    random = np.random.default_rng(0)
    wrong = 0
    for _ in range(TRIALS // 4):
        runs = random.normal(0.7, 0.014, (4, 5)) + random.normal(0, 0.01, 5)  # seeds have something in common
        named = [dict(enumerate(row)) for row in runs.tolist()]
        pairs = [paired_difference(named[a], named[b]) for a in range(4) for b in range(a)]
        wrong += min(holm([pair.p for pair in pairs])) < 0.05
    assert wrong / (TRIALS // 4) <= 0.05 + 2 * ALLOWED


def test_mcnemar_keeps_its_level() -> None:
    random = np.random.default_rng(0)
    counts = random.binomial(200, 0.5, TRIALS)
    rejected = np.mean([mcnemar(int(k), 200 - int(k)) < 0.05 for k in counts])
    assert rejected <= 0.05 + ALLOWED
