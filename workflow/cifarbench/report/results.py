"""The table of records as the report asks for it: grouped over seeds, by study, by figure of merit."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..compare import Comparison
from ..compare import compare as compare_tables
from ..plan import Plan, PlannedStudy
from ..stats import Difference, holm, mcnemar, paired_difference, single_seed_noise, t_interval
from ..verdicts import ALPHA, Verdict, judge_all


class Metric(NamedTuple):
    """A figure of merit: the table's column, its name for people, its unit, and what to multiply with."""

    column: str
    title: str
    unit: str
    factor: float
    digits: int
    higher_is_better: bool


METRICS = {
    "accuracy": Metric("final.test.top1", "Test accuracy", "%", 100, 1, True),
    "loss": Metric("final.test.loss", "Test loss", "", 1, 3, False),
    "seconds": Metric("seconds.train", "Training time", "s", 1, 1, False),
}


class Seeds(NamedTuple):
    """The values of one metric over the seeds of one configuration, and the half width of the 95 % interval
    of their mean; None for a single one."""

    values: list[float]
    mean: float
    half: float | None


class Configuration(NamedTuple):
    """All runs of one configuration; metrics are over those that completed."""

    key: str
    label: str
    runs: pd.DataFrame
    metrics: dict[str, Seeds]

    @property
    def completed(self) -> pd.DataFrame:
        return self.runs[self.runs["status"] == "completed"]

    @property
    def chosen_on_test(self) -> bool:
        return bool((self.completed["final.chosen_by"] == "best_test").any())

    def by_seed(self, column: str) -> dict[int, Any]:
        """Return a column of the completed runs that have a value there."""
        if column not in self.completed:
            return {}
        pairs = zip(self.completed["config.seed"], self.completed[column], strict=True)
        return {int(seed): value for seed, value in pairs if value is not None}

    def count(self, status: str) -> int:
        return int((self.runs["status"] == status).sum())


@dataclass(frozen=True)
class Results:
    plan: Plan
    table: pd.DataFrame
    speed: dict[str, Any] | None = None
    baseline: pd.DataFrame | None = None

    @cached_property
    def verdicts(self) -> list[Verdict]:
        return judge_all(self.plan, self.table)

    @cached_property
    def comparison(self) -> Comparison | None:
        return None if self.baseline is None else compare_tables(self.baseline, self.table)

    @cached_property
    def done(self) -> pd.DataFrame:
        """Runs with a record, diverged ones too."""
        return self.table[self.table["status"] != "missing"]

    def of_study(self, study: PlannedStudy) -> list[Configuration]:
        """Return the study's configurations in the order of the config, those without a record too."""
        rows = self.table[self.table["run"].isin(study.runs)]
        groups = dict(list(rows.groupby("configuration", sort=False)))
        return [configuration(key, label, groups[key]) for key, label in study.labels.items()]

    @cached_property
    def ranked(self) -> list[Configuration]:
        """All configurations that have a completed run, each once, best mean test accuracy first."""
        labels: dict[str, str] = {}
        for study in self.plan.studies:
            for key, label in study.labels.items():
                labels.setdefault(key, label if len(self.plan.studies) == 1 else f"{study.name}: {label}")
        groups = self.table.groupby("configuration", sort=False)
        every = [configuration(str(key), labels[str(key)], rows) for key, rows in groups]
        measured = [c for c in every if "accuracy" in c.metrics]
        return sorted(measured, key=lambda c: -c.metrics["accuracy"].mean)

    @cached_property
    def contenders(self) -> dict[str, list[Configuration]]:
        """Return `ranked` by data set, without those that chose on the test set, unless all did."""
        by_dataset: dict[str, list[Configuration]] = {}
        for c in self.ranked:
            by_dataset.setdefault(c.completed["data.name"].iloc[0], []).append(c)
        return {
            name: [c for c in found if not c.chosen_on_test] or found
            for name, found in sorted(by_dataset.items())
        }

    def distinct(self, column: str) -> list[Any]:
        """Return the different values of a column over the runs that have a record, sorted."""
        if column not in self.done:
            return []
        return sorted(self.done[column].dropna().unique().tolist())

    @property
    def same_hardware(self) -> bool:
        columns = [c for c in ("environment.device_name", "environment.threads") if c in self.done]
        return len(self.done[columns].drop_duplicates()) <= 1


def configuration(key: str, label: str, runs: pd.DataFrame) -> Configuration:
    completed = runs[runs["status"] == "completed"]
    metrics = {}
    for name, metric in METRICS.items():
        values = completed[metric.column].dropna().tolist() if metric.column in completed else []
        if values:
            metrics[name] = over_seeds(values)
    return Configuration(key, label, runs, metrics)


def over_seeds(values: list[float]) -> Seeds:
    mean, low, _ = t_interval(values)
    return Seeds(values, mean, None if low is None else mean - low)


def pareto_front(configurations: list[Configuration]) -> list[Configuration]:
    """Return those that no other beats in both mean accuracy and mean training time, fastest first."""
    front: list[Configuration] = []
    for c in sorted(configurations, key=lambda c: (c.metrics["seconds"].mean, -c.metrics["accuracy"].mean)):
        if not front or c.metrics["accuracy"].mean > front[-1].metrics["accuracy"].mean:
            front.append(c)
    return front


class Rival(NamedTuple):
    """A configuration beside the best of its study, over shared seeds; p is adjusted for the whole study."""

    configuration: Configuration
    difference: Difference | None
    p: float | None

    @property
    def distinguishable(self) -> bool:
        return self.p is not None and self.p < ALPHA


def beside_best(configurations: list[Configuration]) -> tuple[Configuration, list[Rival]]:
    """Return the best by mean test accuracy, and each other one beside it.

    All pairs of the study are tested and adjusted together (Holm), so that picking the best by its own
    figures promises no more than the level says.
    """
    ranked = sorted(configurations, key=lambda c: -c.metrics["accuracy"].mean)
    pairs = {
        (a.key, b.key): paired_difference(a.by_seed("final.test.top1"), b.by_seed("final.test.top1"))
        for a, b in itertools.combinations(ranked, 2)
    }
    tested = [key for key, pair in pairs.items() if pair is not None and pair.p is not None]
    adjusted = dict(zip(tested, holm([pairs[key].p for key in tested]), strict=True))  # type: ignore[union-attr,misc]
    best = ranked[0]
    rivals = [Rival(c, pairs[best.key, c.key], adjusted.get((best.key, c.key))) for c in ranked[1:]]
    return best, rivals


def noise(configurations: list[Configuration], metric: str) -> float | None:
    """Return the deviation over seeds of one metric, pooled over the configurations of a study."""
    return single_seed_noise([c.metrics[metric].values for c in configurations if metric in c.metrics])


class OnSameImages(NamedTuple):
    """Two configurations on the same test images with the same seed: how many only one gets right."""

    seed: int
    only_first: int
    only_second: int
    p: float


def on_same_images(first: Configuration, second: Configuration) -> OnSameImages | None:
    """Compare the predictions of the first seed that both have; None without predictions."""
    ours, theirs = first.by_seed("correct"), second.by_seed("correct")
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds or len(ours[seeds[0]]) != len(theirs[seeds[0]]):
        return None
    a, b = (np.unpackbits(np.frombuffer(bits[seeds[0]], np.uint8)).astype(bool) for bits in (ours, theirs))
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    return OnSameImages(seeds[0], only_first, only_second, mcnemar(only_first, only_second))


def curve(configuration: Configuration, name: str) -> np.ndarray:
    """Return one field of the epochs of each completed run, (runs, epochs); NaN where it has no value."""
    runs = configuration.completed.get("epochs", [])
    return np.array([[np.nan if e[name] is None else e[name] for e in epochs] for epochs in runs], float)


def held_out_part(configurations: list[Configuration]) -> str:
    """Return which images learning curves are of: validation where every run has some, else test."""
    curves = [curve(configuration, "validation_accuracy") for configuration in configurations]
    return "test" if any(np.isnan(values).any() for values in curves) else "validation"
