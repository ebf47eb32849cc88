"""Compare two tables of results, say a published one and yours: `cifarbench compare A B`.

Accuracy is compared seed by seed where both tables have the same seeds, for the same seed means the same
initial weights and order; times are compared as ratios, and only between the same hardware.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.stats import Difference, paired_difference

# What should be the same for the figures to be.
FACTS = {
    "hardware": ("environment.device_name", "environment.threads"),
    "versions": ("environment.versions.torch", "environment.python"),
    "data": ("data.images_sha256",),
    "sources": ("code.source_sha256",),
}


class Pair(NamedTuple):
    """One configuration in both tables: B minus A in accuracy, B over A in training time, what differs."""

    configuration: str
    before: float
    after: float
    accuracy: Difference | None
    time_ratio: tuple[float, float, float] | None
    """Median, lowest and highest over the seeds; None between different hardware."""
    differs: list[str]

    @property
    def regression(self) -> str | None:
        """Say what got worse: accuracy, its interval below zero, or time, every seed slower by a tenth."""
        if self.accuracy and self.accuracy.high is not None and self.accuracy.high < 0:
            return "accuracy"
        if self.time_ratio and self.time_ratio[1] > 1.1:
            return "time"
        return None


class Comparison(NamedTuple):
    pairs: list[Pair]
    only_before: list[str]
    only_after: list[str]

    @property
    def regressions(self) -> list[Pair]:
        return [pair for pair in self.pairs if pair.regression]


def compare(before: pd.DataFrame, after: pd.DataFrame) -> Comparison:
    """Pair the configurations of two tables of records; those of one table alone are listed."""
    first, second = _completed(before), _completed(after)
    shared = [key for key in first if key in second]
    return Comparison(
        [_pair(key, first[key], second[key]) for key in shared],
        [key for key in first if key not in second],
        [key for key in second if key not in first],
    )


def _completed(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    done = table[table["status"] == "completed"]
    return {str(key): rows for key, rows in done.groupby("configuration", sort=False)}


def _pair(key: str, first: pd.DataFrame, second: pd.DataFrame) -> Pair:
    accuracy = [_by_seed(rows, "final.test.top1") for rows in (first, second)]
    differs = [
        name
        for name, columns in FACTS.items()
        if any(_values(first, c) != _values(second, c) for c in columns)
    ]
    times = [_by_seed(rows, "seconds.train") for rows in (first, second)]
    seeds = sorted(times[0].keys() & times[1].keys())
    ratios = [times[1][seed] / times[0][seed] for seed in seeds]
    comparable = ratios and "hardware" not in differs
    return Pair(
        key,
        float(np.mean(list(accuracy[0].values()))),
        float(np.mean(list(accuracy[1].values()))),
        paired_difference(accuracy[1], accuracy[0]),
        (float(np.median(ratios)), min(ratios), max(ratios)) if comparable else None,
        differs,
    )


def _by_seed(rows: pd.DataFrame, column: str) -> dict[int, float]:
    return {int(seed): float(value) for seed, value in zip(rows["config.seed"], rows[column], strict=True)}


def _values(rows: pd.DataFrame, column: str) -> set[Any]:
    return set(rows[column].dropna()) if column in rows else set()


def text_table(comparison: Comparison) -> str:
    """Lay a comparison out for a terminal."""
    lines = []
    for pair in comparison.pairs:
        lines.append(f"{pair.configuration}: {in_words(pair)}")
    for title, keys in (
        ("only in the first", comparison.only_before),
        ("only in the second", comparison.only_after),
    ):
        lines += [f"{title}: {key}" for key in keys]
    worse = len(comparison.regressions)
    lines.append(f"{len(comparison.pairs)} configurations in both, {worse} of them worse in the second")
    return "\n".join(lines)


def in_words(pair: Pair) -> str:
    """Say in one line what became of a configuration."""
    parts = [f"accuracy {100 * pair.before:.1f} -> {100 * pair.after:.1f} %"]
    if pair.accuracy and pair.accuracy.low is not None and pair.accuracy.high is not None:
        low, high = pair.accuracy.low, pair.accuracy.high
        exact = (
            "the same in every seed"
            if low == high == 0
            else f"{100 * pair.accuracy.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
        )
        parts.append(f"{exact}, {pair.accuracy.n} seeds")
    else:
        parts.append("too few shared seeds for an interval")
    if pair.time_ratio:
        parts.append("time x {:.2f} [{:.2f}, {:.2f}]".format(*pair.time_ratio))
    if pair.differs:
        parts.append(f"other {', '.join(pair.differs)}")
    if pair.regression:
        parts.append(f"WORSE in {pair.regression}")
    return "; ".join(parts)
