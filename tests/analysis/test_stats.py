"""Statistics against hand-computed values, scipy, and simulations of what they promise."""

import numpy as np
import pytest
from scipy import stats as reference

from cifarbench.analysis.stats import (
    Difference,
    chance_difference,
    collapsed,
    critical_range,
    equivalent,
    excluded_rate,
    family_level,
    holm,
    image_error,
    mcnemar,
    paired,
    prediction_interval,
    single_seed_noise,
    t_interval,
    welch,
)

TRIALS = 4000
# Of so many trials, the count that a share of 95 % leaves only once in ten thousand.
ALLOWED = 4 * (0.95 * 0.05 / TRIALS) ** 0.5
A, B = [0.6, 0.62, 0.59, 0.61], [0.58, 0.55, 0.585]


def test_t_interval_by_hand_and_as_scipy() -> None:
    assert t_interval([1.0, 2.0, 3.0]) == pytest.approx(  # t of 2 degrees of freedom is 4.3027
        (2, 2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5)
    )
    expected = reference.t.interval(0.95, 3, np.mean(A), reference.sem(A))
    interval = t_interval(A)
    assert interval is not None
    assert interval[1:] == pytest.approx(expected)


def test_fewer_than_three_values_have_no_interval_and_no_test() -> None:
    assert t_interval([0.39, 0.97]) is None
    assert prediction_interval([0.39, 0.97]) is None
    assert welch([0.1, 0.2], A) is None
    assert paired([0.1, 0.2], [0.1, 0.2]) is None


@pytest.mark.parametrize("values", [[0.11, 0.1, 0.35], [0.99, 0.7, 0.999], [0.5, 0.1, 0.9], [1.0, 1.0, 1.0]])
def test_an_interval_of_a_share_stays_inside_zero_and_one(values: list[float]) -> None:
    for interval in (t_interval(values, share=True), prediction_interval(values, share=True)):
        assert interval is not None
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1


def test_welch_as_scipy() -> None:
    difference, expected = welch(A, B), reference.ttest_ind(A, B, equal_var=False)
    assert difference is not None
    assert difference.p_equal() == pytest.approx(expected.pvalue)
    assert difference.interval()[1:] == pytest.approx(tuple(expected.confidence_interval(0.95)))
    one_sided = reference.ttest_ind(A, B, equal_var=False, alternative="greater").pvalue
    assert difference.p_above() == pytest.approx(one_sided)
    assert difference.p_below() == pytest.approx(1 - one_sided)
    shifted = reference.ttest_ind(np.subtract(A, 0.01), B, equal_var=False, alternative="greater").pvalue
    assert difference.p_above(0.01) == pytest.approx(shifted)


def test_pairs_as_scipy() -> None:
    difference, expected = paired(A[:3], B), reference.ttest_rel(A[:3], B)
    assert difference is not None
    assert difference.p_equal() == pytest.approx(expected.pvalue)
    assert difference.interval()[1:] == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_the_family_is_tested_as_scipy_does() -> None:
    third = [0.7, 0.72, 0.69]
    expected = reference.tukey_hsd(A, B, third, equal_var=False).pvalue
    for (a, b), p in {((0, 1)): expected[0, 1], (0, 2): expected[0, 2], (1, 2): expected[1, 2]}.items():
        difference = welch([A, B, third][a], [A, B, third][b])
        assert difference is not None
        assert difference.p_family(3) == pytest.approx(p, abs=1e-6)
        assert difference.differs(3) == (p < family_level(3))


@pytest.mark.parametrize(("number", "freedom"), [(4, 2.2), (16, 3.3), (40, 8.0), (90, 40.0)])
def test_critical_values_are_those_of_scipy(number: int, freedom: float) -> None:
    level = family_level(number, looks=4)
    expected = reference.studentized_range.ppf(1 - level, number, freedom)
    assert critical_range(number, freedom, level) == pytest.approx(expected, rel=1e-3)


def test_values_without_variance_are_no_certainty_beyond_their_rounding() -> None:
    flat, higher = [0.1, 0.1, 0.1], [0.1 + 1 / 360] * 3
    difference = welch(higher, flat, 1 / 360)
    assert difference is not None
    assert not difference.differs(16)
    certain = welch(higher, flat)
    assert certain is not None
    assert certain.differs(16)
    same = welch(flat, flat)
    assert same is not None
    assert not same.differs(16)
    assert same.p_equal() == 1
    alike = paired(flat, flat, 1 / 360)
    assert alike == Difference(0, 0, 2, (3, 3))


def test_equivalence_by_hand() -> None:
    difference = Difference(0.004, 0.003, 8, (5, 5))  # t of 8 degrees of freedom at 95 % is 1.8595
    assert equivalent(difference, 0.0097)
    assert not equivalent(difference, 0.0095)
    assert not equivalent(Difference(-0.004, 0.003, 8, (5, 5)), 0.0095)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1, 1]
    assert holm([]) == []


def test_mcnemar_by_hand() -> None:
    assert mcnemar(1, 5) == pytest.approx(2 * (1 + 6) / 2**6)
    assert mcnemar(0, 0) == 1


def test_the_error_of_images_by_hand() -> None:
    correct = np.array([[1, 0, 1, 1], [1, 0, 1, 0]], bool)  # rates 1, 0, 1, 1/2: variance 0.229167 of four
    assert image_error(correct) == pytest.approx((0.2291667 / 4) ** 0.5)


def test_noise_is_that_of_a_typical_configuration() -> None:
    # Variances 2 and 8 and 5000; of two values, a variance lies below the true one by 0.4549 in the median.
    groups = [[1.0, 3.0], [2.0, 6.0], [0.0, 100.0], [5.0]]
    assert single_seed_noise(groups) == pytest.approx((8 / 0.454936) ** 0.5, rel=1e-5)
    assert single_seed_noise([[1.0]]) is None
    assert chance_difference(0.014) == pytest.approx(1.96 * 0.014 * 2**0.5, rel=1e-4)


def test_noise_is_right_in_the_median() -> None:
    random = np.random.default_rng(0)
    found = [single_seed_noise(random.normal(0.7, 0.014, (15, 3)).tolist()) or 0.0 for _ in range(200)]
    assert np.median(found) == pytest.approx(0.014, rel=0.1)


def test_runs_that_fell_are_named() -> None:
    assert collapsed([0.44, 0.61, 0.32, 0.60, 0.597], 0.01) == [True, False, True, False, False]
    assert collapsed([0.6, 0.56], 0.03) == [False, False]
    assert collapsed([0.1, 0.1, 0.1], 0.01) == [False] * 3
    assert [round(100 * excluded_rate(n)) for n in (2, 3, 5)] == [78, 63, 45]


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_cover_as_often_as_they_say(seeds: int) -> None:
    random = np.random.default_rng(seeds)
    covered = predicted = 0
    for _ in range(TRIALS // 4):
        values = random.normal(0.7, 0.014, seeds + 2)
        interval = t_interval(values[:-2].tolist(), share=True)
        further = prediction_interval(values[:-2].tolist(), 2, share=True)
        assert interval is not None
        assert further is not None
        covered += interval.low <= 0.7 <= interval.high
        predicted += further.low <= values[-2:].mean() <= further.high
    assert covered / (TRIALS // 4) == pytest.approx(0.95, abs=2 * ALLOWED)
    assert predicted / (TRIALS // 4) == pytest.approx(0.95, abs=2 * ALLOWED)


def test_mcnemar_keeps_its_level() -> None:
    random = np.random.default_rng(0)
    counts = random.binomial(200, 0.5, TRIALS)
    rejected = np.mean([mcnemar(int(k), 200 - int(k)) < 0.05 for k in counts])
    assert rejected <= 0.05 + ALLOWED
