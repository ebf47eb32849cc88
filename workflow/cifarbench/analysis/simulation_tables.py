"""The simulations of the rules as tables in Markdown. The same trials give the same figures."""

from collections.abc import Sequence

import numpy as np

from cifarbench.analysis.simulation import (
    CASES,
    DEPTH,
    DEVIATION,
    EQUAL,
    FALLS,
    MEAN,
    NOISES,
    UNEQUAL,
    adaptive_shares,
    comparison_shares,
    family_power,
    page_error,
    verdict_shares,
)
from cifarbench.analysis.stats import FEWEST

Row = list[str | float]

SEEDS = (3, 5, 10)
CONFIGURATIONS = (4, 16, 40)
EFFECTS = (0.05, 0.1, 0.2)
LOOKS = (3, 5, 8, 12)
SPREAD = 0.2  # of accuracy, from the best to the worst of an adaptive study
SLOW = 5  # times as many trials for what is drawn in arrays as for what asks the rules themselves
PAGE_SEEDS = SEEDS[:2]


def simulated(trials: int) -> str:
    """Return all tables; `trials` are those of each cell."""
    few = max(1, trials // SLOW)
    return "\n".join(
        [
            "# What the rules promise, simulated",
            "",
            "[method.md](method.md) has the rules. Drawn are accuracies of n seeds of k configurations: with",
            f"equal standard deviations ({100 * DEVIATION:g} points), unequal ones ({100 * UNEQUAL[0]:g} to "
            f"{100 * UNEQUAL[1]:g} points), or equal ones and",
            f"every fifth configuration losing {100 * DEPTH:g} points in {100 * FALLS:g} % of its runs; "
            "counted on so many test images. Made by",
            "",
            f"    cifarbench bench-statistics --trials {trials} --output docs/simulation.md",
            "",
            f"with {trials:,} trials of each figure ({few:,} of verdicts; comparisons: {10 * few:,} "
            "configurations).",
            f"All figures are %. Below {FEWEST} seeds nothing is decided, so nothing is wrong.",
            *_errors(trials),
            *_powers(trials),
            *_verdicts(few),
            *_comparisons(few),
            *_adaptive(trials),
            "",
        ]
    )


def _errors(trials: int) -> list[str]:
    random = np.random.default_rng(1)
    rows: list[Row] = [
        [noise.title, *(page_error(random, noise, k, n, trials) for n in PAGE_SEEDS for k in CONFIGURATIONS)]
        for noise in NOISES
    ]
    head = [f"n = {n}, k = {k}" for n in PAGE_SEEDS for k in CONFIGURATIONS]
    title = "Pages of k configurations with n seeds that say wrongly that something is lower than the best"
    return _table(title, ["standard deviations", *head], rows)


def _powers(trials: int) -> list[str]:
    random = np.random.default_rng(2)
    rows: list[Row] = [
        [
            f"n = {n}, {100 * effect:g} points",
            *(family_power(random, EQUAL, k, n, effect, trials) for k in CONFIGURATIONS),
        ]
        for n in PAGE_SEEDS
        for effect in EFFECTS
    ]
    title = "Differences from the best that are found"
    return _table(title, ["seeds, true difference", *(f"k = {k}" for k in CONFIGURATIONS)], rows)


def _verdicts(trials: int) -> list[str]:
    random = np.random.default_rng(3)
    rows: list[Row] = []
    for case in CASES:
        shares = (verdict_shares(random, case, n, trials) for n in SEEDS)
        rows.append([case.title, *(f"{_percent(same)} / {_percent(other)}" for same, other in shares)])
    title = "Verdicts: reproduced / differs"
    return _table(title, ["statement, and the truth", *(f"n = {n}" for n in SEEDS)], rows)


def _comparisons(trials: int) -> list[str]:
    random = np.random.default_rng(4)
    rows: list[Row] = [
        [f"n = {n}, k = {k}", *comparison_shares(random, k, n, max(1, 10 * trials // k))]
        for n in SEEDS
        for k in CONFIGURATIONS
    ]
    title = "`compare`, two tables of k configurations"
    return _table(
        title, ["seeds", "false alarms", "equals shown equivalent", "losses of 3 points found"], rows
    )


def _adaptive(trials: int) -> list[str]:
    random = np.random.default_rng(5)
    rows: list[Row] = []
    for noise in NOISES[::2]:
        for k in CONFIGURATIONS:
            same, spread = np.full(k, MEAN), MEAN - np.linspace(0, SPREAD, k)
            once, naive = (
                adaptive_shares(random, noise, same, LOOKS, trials, naive).false for naive in (False, True)
            )
            apart = adaptive_shares(random, noise, spread, LOOKS, trials)
            rows.append([f"{noise.title}, k = {k}", once, naive, apart.trained, apart.found])
    title = (
        f"Seeds where they are needed, looks at {', '.join(map(str, LOOKS))}: all equal, and spread over "
        f"{100 * SPREAD:g} points"
    )
    head = ["standard deviations", "wrong", "wrong at full level", "runs trained", "found"]
    return _table(title, head, rows)


def _table(title: str, head: Sequence[str], rows: Sequence[Row]) -> list[str]:
    written = [[cell if isinstance(cell, str) else _percent(cell) for cell in row] for row in rows]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *written]
    return ["", f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines)]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.1 else f"{100 * share:.0f}"
