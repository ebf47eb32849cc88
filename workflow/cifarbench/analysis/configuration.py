"""The runs of one configuration, and its metrics over their seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.columns import timed
from cifarbench.analysis.stats import FEWEST, t_interval
from cifarbench.config.knobs import TrainConfig
from cifarbench.records.metrics import METRICS, TIMES

# What a configuration's row in the page's table says.
SHOWN = tuple(name for name, metric in METRICS.items() if metric.column)
# What an accuracy may cost.
COSTS = ("seconds", "parameters", "flops")


class Seeds(NamedTuple):
    """The values of one metric over the seeds of one configuration. `centre` is their mean, `low` and `high`
    the ends of its 95 % interval; of times it is the median, with the lowest and the highest. There are no
    ends for fewer than FEWEST values."""

    values: list[float]
    centre: float
    low: float | None
    high: float | None

    @property
    def ends(self) -> tuple[float, float]:
        """From where to where a line around the centre goes: nowhere for want of seeds."""
        low, high = (self.centre if end is None else end for end in (self.low, self.high))
        return low, high


class Configuration(NamedTuple):
    """The runs of one configuration that have a record, diverged ones too, and their metrics."""

    key: str
    label: str
    runs: pd.DataFrame
    metrics: dict[str, Seeds]

    @property
    def diverged(self) -> int:
        return int((self.runs["status"] == "diverged").sum())

    @property
    def chosen_on_test(self) -> bool:
        return bool((self.runs["final.chosen_by"] == "best_test").any())

    @property
    def accuracies(self) -> list[float]:
        return self.metrics["test_accuracy"].values

    @property
    def resolution(self) -> float:
        """Return the step in which accuracies are counted."""
        return 1 / float(self.first("final.test.images"))

    def first(self, column: str) -> Any:
        """Return a column's value in the first run; the same in all, as of the data or model. A knob that
        older tables lack has its default."""
        part, _, knob = column.partition(".")
        if part == "config" and column not in self.runs:
            return TrainConfig.model_fields[knob].default
        return self.runs[column].iloc[0]

    def by_seed(self, column: str) -> dict[int, Any]:
        """Return a column of the runs that have a value there."""
        if column not in self.runs:
            return {}
        pairs = zip(self.runs["config.seed"], self.runs[column], strict=True)
        return {int(seed): value for seed, value in pairs if value is not None}


def configuration(key: str, label: str, rows: pd.DataFrame) -> Configuration:
    runs = rows[rows["status"] != "missing"]
    metrics = {}
    for name in SHOWN:
        column = METRICS[name].column
        counted = timed(runs) if name in TIMES else runs
        values = counted[column].dropna().astype(float).tolist() if column in runs else []
        if values:
            metrics[name] = over_seeds(values, name)
    return Configuration(key, label, runs, metrics)


def over_seeds(values: Sequence[float], metric: str) -> Seeds:
    return middle_of(values) if metric in TIMES else mean_of(values, METRICS[metric].is_share)


def middle_of(values: Sequence[float]) -> Seeds:
    """Return the median with the lowest and the highest, as of times."""
    ends = (min(values), max(values)) if len(values) >= FEWEST else (None, None)
    return Seeds(list(values), float(np.median(values)), *ends)


def mean_of(values: Sequence[float], share: bool = False) -> Seeds:
    """Return the mean with the ends of its interval; of a `share` inside 0 to 1."""
    interval = t_interval(values, share)
    low, high = (interval.low, interval.high) if interval else (None, None)
    return Seeds(list(values), float(np.mean(values)), low, high)


def shown(configurations: Sequence[Configuration]) -> list[str]:
    """Return the metrics of SHOWN that some of the configurations have."""
    return [name for name in SHOWN if any(name in c.metrics for c in configurations)]


def best_first(configurations: Sequence[Configuration]) -> list[Configuration]:
    return sorted(configurations, key=lambda c: -c.metrics["test_accuracy"].centre)


def by_model(members: Sequence[Configuration]) -> dict[str, list[Configuration]]:
    groups: dict[str, list[Configuration]] = {}
    for c in members:
        groups.setdefault(c.first("config.model"), []).append(c)
    return groups
