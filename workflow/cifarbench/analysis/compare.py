"""Compare two tables of results, say a published one and yours: `cifarbench compare A B`.

Each configuration that both have is

- identical: every seed has the same accuracy and losses, to the bit;
- equivalent: the difference of the mean accuracies lies within a margin (two one-sided tests);
- different: the accuracies differ (two-sided, Holm over the configurations, 5 %) and are not equivalent;
- undecided: none of these can be said yet, and so many seeds would decide.

The same seeds on the same hardware, versions and data could repeat to the bit, so they are compared in pairs;
all others as independent samples. Times are compared as ratios, between the same hardware only, and warn.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.columns import timed
from cifarbench.analysis.power import seeds_to_equal
from cifarbench.analysis.stats import ALPHA, FEWEST, Difference, equivalent, holm, paired, welch
from cifarbench.records.metrics import METRICS
from cifarbench.records.verified import Verified
from cifarbench.sweep.staleness import behave_alike
from cifarbench.words import count

MARGIN = 0.02  # of accuracy, which is no difference that matters
SLOWER = 1.1  # times as long in every seed, to be told

# What should be the same for the figures to be.
FACTS = {
    "hardware": ("environment.device_name", "environment.threads"),
    "versions": ("environment.versions.torch", "environment.python"),
    "data": ("data.images_sha256",),
}
REPEATABLE = ("hardware", "versions", "data")

Outcome = Literal["identical", "equivalent", "different", "undecided"]
OUTCOMES: tuple[Outcome, ...] = ("identical", "equivalent", "different", "undecided")


class Pair(NamedTuple):
    """One configuration in both tables: the second minus the first in accuracy, the second over the first in
    training time, and what differs."""

    configuration: str
    before: list[float]
    after: list[float]
    identical: bool
    accuracy: Difference | None
    time_ratio: tuple[float, float, float] | None
    """Median, lowest and highest over the seeds that both have; None between different hardware."""
    differs: list[str]


class Compared(NamedTuple):
    """A pair and what became of it."""

    pair: Pair
    outcome: Outcome
    margin: float

    @property
    def seeds_needed(self) -> int | None:
        """That would show the two to be equivalent, if they are; None where that is decided, or out of
        reach."""
        if self.outcome != "undecided":
            return None
        if self.pair.accuracy is None:
            return FEWEST
        first, second = (float(np.std(values, ddof=1)) for values in (self.pair.before, self.pair.after))
        return seeds_to_equal(0.0, first, second, self.margin)

    @property
    def regression(self) -> bool:
        accuracy = self.pair.accuracy
        return self.outcome == "different" and accuracy is not None and accuracy.mean < 0

    @property
    def slower(self) -> bool:
        ratio = self.pair.time_ratio
        return ratio is not None and len(self.pair.after) >= FEWEST and ratio[1] > SLOWER


class Comparison(NamedTuple):
    compared: list[Compared]
    only_before: list[str]
    only_after: list[str]

    @property
    def regressions(self) -> list[Compared]:
        return [compared for compared in self.compared if compared.regression]

    @property
    def counts(self) -> dict[Outcome, int]:
        return {outcome: sum(c.outcome == outcome for c in self.compared) for outcome in OUTCOMES}


def compare(
    before: pd.DataFrame, after: pd.DataFrame, margin: float = MARGIN, verified: Verified | None = None
) -> Comparison:
    """Pair the configurations of two tables of records; those of one table alone are listed.

    `verified` is what `cifarbench verify` has found of either.
    """
    first, second = _by_configuration(before), _by_configuration(after)
    known = verified or Verified()
    pairs = [_pair(key, first[key], second[key], known) for key in first if key in second]
    return Comparison(
        judged(pairs, margin),
        [key for key in first if key not in second],
        [key for key in second if key not in first],
    )


def _by_configuration(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    done = table[table["status"] != "missing"]
    return {str(key): rows for key, rows in done.groupby("configuration", sort=False)}


def _pair(key: str, first: pd.DataFrame, second: pd.DataFrame, verified: Verified) -> Pair:
    before, after = (_by_seed(rows, "final.test.top1") for rows in (first, second))
    differs = [
        name
        for name, columns in FACTS.items()
        if any(_values(first, c) != _values(second, c) for c in columns)
    ]
    if not behave_alike(pd.concat([first, second]), verified):
        differs.append("sources")
    same_seeds = before.keys() == after.keys()
    identical = same_seeds and all(
        _by_seed(first, column) == _by_seed(second, column)
        for column in ("final.test.top1", "final.test.loss")
    )
    resolution = 1 / min(rows["final.test.images"].min() for rows in (first, second))
    repeatable = same_seeds and not set(REPEATABLE) & set(differs)
    test = paired if repeatable else welch
    values = [[of[seed] for seed in sorted(of)] for of in (before, after)]
    accuracy = test(values[1], values[0], resolution)
    ratio = _time_ratio(first, second, differs)
    return Pair(key, values[0], values[1], identical, accuracy, ratio, differs)


def _time_ratio(
    first: pd.DataFrame, second: pd.DataFrame, differs: list[str]
) -> tuple[float, float, float] | None:
    before, after = (_by_seed(timed(rows), "seconds.train") for rows in (first, second))
    ratios = [after[seed] / before[seed] for seed in sorted(before.keys() & after.keys())]
    if not ratios or "hardware" in differs:
        return None
    return float(np.median(ratios)), min(ratios), max(ratios)


def judged(pairs: list[Pair], margin: float) -> list[Compared]:
    tested = {pair.configuration: pair.accuracy for pair in pairs if pair.accuracy and not pair.identical}
    adjusted = dict(zip(tested, holm([d.p_equal() for d in tested.values()]), strict=True))
    return [
        Compared(pair, _outcome(pair, adjusted.get(pair.configuration, 1.0), margin), margin)
        for pair in pairs
    ]


def _outcome(pair: Pair, p: float, margin: float) -> Outcome:
    if pair.identical:
        return "identical"
    if pair.accuracy is not None and equivalent(pair.accuracy, margin):
        return "equivalent"
    return "different" if p < ALPHA else "undecided"


def _by_seed(rows: pd.DataFrame, column: str) -> dict[int, float]:
    values = zip(rows["config.seed"], rows[column], strict=True)
    return {int(seed): float(value) for seed, value in values if not pd.isna(value)}


def _values(rows: pd.DataFrame, column: str) -> set[Any]:
    return set(rows[column].dropna()) if column in rows else set()


def text_table(comparison: Comparison) -> str:
    """Lay a comparison out for a terminal."""
    lines = [
        f"{compared.outcome.upper():<11} {compared.pair.configuration}: {in_words(compared)}"
        for compared in comparison.compared
    ]
    for title, keys in (
        ("only in the first", comparison.only_before),
        ("only in the second", comparison.only_after),
    ):
        lines += [f"{title}: {key}" for key in keys]
    told = ", ".join(f"{n} {outcome}" for outcome, n in comparison.counts.items() if n) or "none"
    worse = len(comparison.regressions)
    return "\n".join([*lines, f"configurations in both: {told}; {worse} worse in the second"])


def in_words(compared: Compared) -> str:
    """Say in one line what became of a configuration."""
    pair = compared.pair
    before, after = (100 * float(np.mean(values)) for values in (pair.before, pair.after))
    *fewer, seeds = sorted({len(pair.before), len(pair.after)})
    told = " and ".join([*map(str, fewer), count(seeds, "seed")])
    parts = [f"accuracy {before:.1f} -> {after:.1f} %", told]
    if pair.accuracy and not pair.identical:
        accuracy, (mean, low, high) = METRICS["test_accuracy"], pair.accuracy.interval()
        parts.append(f"{accuracy.difference(mean)} points [{accuracy.end(low)}, {accuracy.end(high)}]")
    if compared.outcome == "undecided":
        needed = compared.seeds_needed
        parts.append("no number of seeds in reach would decide" if needed is None else _more(needed))
    if pair.time_ratio:
        parts.append("time x {:.2f} [{:.2f}, {:.2f}]".format(*pair.time_ratio))
    if pair.differs:
        parts.append(f"other {', '.join(pair.differs)}")
    if compared.regression:
        parts.append("WORSE in accuracy")
    if compared.slower:
        parts.append("warning: slower in every seed")
    return "; ".join(parts)


def _more(needed: int) -> str:
    return f"{needed} seeds would show them to be equivalent, if they are"
