"""How many seeds would decide: against simulation, and at the ends of the scale."""

import numpy as np
import pytest

from cifarbench.analysis.power import (
    POWER,
    seeds_to_equal,
    seeds_to_order,
    seeds_to_predict,
    seeds_to_tell,
)
from cifarbench.analysis.stats import ALPHA, equivalent, prediction_interval, welch

TRIALS = 500
ALLOWED = 4 * (POWER * (1 - POWER) / TRIALS) ** 0.5


def share_of(decides: object, seeds: int, effect: float, first: float, second: float) -> float:
    random = np.random.default_rng(0)
    found = []
    for _ in range(TRIALS):
        difference = welch(
            random.normal(effect, first, seeds).tolist(), random.normal(0, second, seeds).tolist()
        )
        found.append(decides(difference))  # type: ignore[operator]
    return float(np.mean(found))


def test_so_many_seeds_tell_apart_in_four_of_five_cases() -> None:
    needed = seeds_to_tell(0.05, 0.02, 0.01, 16)
    assert needed is not None
    assert share_of(lambda d: d.differs(16), needed, 0.05, 0.02, 0.01) == pytest.approx(POWER, abs=0.12)


def test_so_many_seeds_show_an_order_in_four_of_five_cases() -> None:
    needed = seeds_to_order(0.02, 0.014, 0.02)
    assert needed is not None
    share = share_of(lambda d: d.p_above() < ALPHA, needed, 0.02, 0.014, 0.02)
    assert share == pytest.approx(POWER, abs=ALLOWED)


def test_so_many_seeds_show_equality_in_four_of_five_cases() -> None:
    needed = seeds_to_equal(0.002, 0.014, 0.01, 0.02)
    assert needed is not None
    share = share_of(lambda d: equivalent(d, 0.02), needed, 0.002, 0.014, 0.01)
    assert share == pytest.approx(POWER, abs=ALLOWED)


def test_so_many_seeds_predict_within_the_margin() -> None:
    needed = seeds_to_predict(0.008, 0.02)
    assert needed is not None
    values = np.random.default_rng(0).normal(size=needed)
    values = 0.7 + 0.008 * (values - values.mean()) / values.std(ddof=1)
    interval = prediction_interval(values.tolist())
    assert interval is not None
    assert 0.018 < interval.half <= 0.02


def test_what_no_number_of_seeds_decides_is_none() -> None:
    assert seeds_to_predict(0.02, 0.02) is None  # one further run alone is less certain than that
    assert seeds_to_equal(0.02, 0.01, 0.01, 0.02) is None
    assert seeds_to_tell(0.0001, 0.05, 0.05, 16) is None


def test_certain_differences_need_the_fewest() -> None:
    assert seeds_to_order(0.5, 0.0, 0.0) == 3
    assert seeds_to_tell(0.5, 0.0, 0.0, 4) == 3
