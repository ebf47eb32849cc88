"""The simulation judges as the rules do, and the rules keep what they promise, at a small size."""

from pathlib import Path

import numpy as np
import pytest

from cifarbench.analysis.rules import DECIDED
from cifarbench.analysis.simulation import (
    CASES,
    EQUAL,
    MEAN,
    NOISES,
    Case,
    Noise,
    adaptive_shares,
    comparison_shares,
    family_power,
    page_error,
    sample,
    told_apart,
    verdict_shares,
)
from cifarbench.analysis.simulation_tables import LOOKS
from cifarbench.analysis.stats import ALPHA, family_level, welch
from cifarbench.cli.parser import main
from helpers.repository import REPOSITORY

TRIALS = 1000
ALLOWED = 3 * (ALPHA * (1 - ALPHA) / TRIALS) ** 0.5  # beyond the level, by chance


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.title)
@pytest.mark.parametrize("seeds", [3, 5])
def test_pairs_in_arrays_are_told_apart_as_one_by_one(noise: Noise, seeds: int) -> None:
    [values] = noise.draw(np.random.default_rng(seeds), 1, np.linspace(0.4, 0.6, 10), seeds)
    of = sample(values, noise.images)
    found = told_apart(of.at(slice(None), None), of.at(None), 10, family_level(10))
    for a, first in enumerate(values):
        for b, second in enumerate(values):
            difference = welch(first.tolist(), second.tolist(), 1 / noise.images)
            assert difference is not None
            assert found[a, b] == difference.differs(10)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.title)
@pytest.mark.parametrize(("configurations", "seeds"), [(4, 3), (16, 3), (40, 3), (40, 5)])
def test_a_page_errs_in_one_of_twenty_cases(noise: Noise, configurations: int, seeds: int) -> None:
    random = np.random.default_rng(0)
    assert page_error(random, noise, configurations, seeds, TRIALS) <= ALPHA + ALLOWED


def test_differences_are_found() -> None:
    random = np.random.default_rng(0)
    assert family_power(random, EQUAL, 16, 3, 0.2, TRIALS) > 0.9
    assert family_power(random, EQUAL, 40, 5, 0.1, TRIALS) > 0.9
    assert family_power(random, EQUAL, 16, 3, 0.0, TRIALS) < 0.01


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_verdicts_err_in_one_of_twenty_cases(case: Case) -> None:
    trials = 100
    shares = verdict_shares(np.random.default_rng(0), case, 5, trials)
    for outcome, share in zip(DECIDED, shares, strict=True):
        if outcome in case.wrong:
            assert share <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / trials) ** 0.5
    assert case.wrong == DECIDED or sum(shares) > 0.05


def test_below_three_seeds_nothing_is_decided() -> None:
    assert verdict_shares(np.random.default_rng(0), CASES[0], 2, 5) == (0, 0)


def test_two_tables_of_equals_seldom_differ() -> None:
    random = np.random.default_rng(0)
    small, large = (comparison_shares(random, k, 5, 40) for k in (4, 16))
    assert max(small.false, large.false) <= 0.15
    assert small.found > large.found > 0.2


@pytest.mark.parametrize("noise", NOISES[::2], ids=lambda noise: noise.title)
def test_looks_err_in_one_of_twenty_cases_and_save_runs(noise: Noise) -> None:
    same, spread = np.full(16, MEAN), np.linspace(0.4, 0.6, 16)
    random = np.random.default_rng(0)
    assert adaptive_shares(random, noise, same, LOOKS, TRIALS).false <= ALPHA + ALLOWED
    assert adaptive_shares(random, noise, same, LOOKS, TRIALS, naive=True).false > ALPHA + ALLOWED
    apart = adaptive_shares(random, noise, spread, LOOKS, TRIALS)
    assert apart.trained < 0.7
    assert apart.found > 0.7


def test_the_tables_repeat_and_those_in_the_docs_have_their_shape(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        main(["bench-statistics", "--trials", "5", "--output", str(tmp_path / name)])
    made = (tmp_path / "a.md").read_text()
    assert made == (tmp_path / "b.md").read_text()
    kept = (REPOSITORY / "docs/simulation.md").read_text()
    assert shape(kept) == shape(made)


def shape(table: str) -> list[str]:
    """Return the first cell of each line, and how many there are."""
    return [f"{line.split('|')[1]} {line.count('|')}" for line in table.splitlines() if "|" in line]
