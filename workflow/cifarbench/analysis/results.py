"""The table of records as the report asks for it: grouped over seeds, by study, by figure of merit."""

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.compare import Comparison
from cifarbench.analysis.compare import compare as compare_tables
from cifarbench.analysis.stats import (
    Difference,
    holm,
    mcnemar,
    paired_difference,
    single_seed_noise,
    t_interval,
)
from cifarbench.analysis.verdicts import ALPHA, Verdict, judge_all
from cifarbench.plan.plan import Plan, PlannedStudy
from cifarbench.records.metrics import METRICS

REPRESENTATIVES = 8  # configurations whose mistakes are looked at
PAIRS = 24  # configurations of which all pairs are tested
ENOUGH = 10  # images of a degree of confidence, for a share of them to be told


# What a configuration's row in the page's table says, and what an accuracy may cost.
SHOWN = (
    "test_accuracy",
    "test_loss",
    "seconds",
    "top5_accuracy",
    "calibration_error",
    "images_per_second",
    "parameters",
    "flops",
)
COSTS = ("seconds", "parameters", "flops")


class Seeds(NamedTuple):
    """The values of one metric over the seeds of one configuration, and the half width of the 95 % interval
    of their mean; None for a single one."""

    values: list[float]
    mean: float
    half: float | None


class Configuration(NamedTuple):
    """The runs of one configuration, and the metrics of those that completed."""

    key: str
    label: str
    completed: pd.DataFrame
    diverged: int
    metrics: dict[str, Seeds]

    @property
    def chosen_on_test(self) -> bool:
        return bool((self.completed["final.chosen_by"] == "best_test").any())

    def first(self, column: str) -> Any:
        """Return a column's value in the first completed run; the same in all, as of the data or model."""
        return self.completed[column].iloc[0]

    def by_seed(self, column: str) -> dict[int, Any]:
        """Return a column of the completed runs that have a value there."""
        if column not in self.completed:
            return {}
        pairs = zip(self.completed["config.seed"], self.completed[column], strict=True)
        return {int(seed): value for seed, value in pairs if value is not None}


@dataclass(frozen=True)
class Results:
    plan: Plan
    table: pd.DataFrame
    speed: dict[str, Any] | None = None
    baseline: pd.DataFrame | None = None
    pictures: pd.DataFrame | None = None

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
    def studies(self) -> list["Measured"]:
        """The studies that have a completed run."""
        found = []
        for study in self.plan.studies:
            configurations = [c for c in self.of_study(study) if "test_accuracy" in c.metrics]
            if configurations:
                found.append(Measured(study, configurations, *beside_best(configurations)))
        return found

    @cached_property
    def ranked(self) -> list[Configuration]:
        """All configurations that have a completed run, each once, best mean test accuracy first."""
        labels: dict[str, str] = {}
        for study in self.plan.studies:
            for key, label in study.labels.items():
                labels.setdefault(key, label if len(self.plan.studies) == 1 else f"{study.name}: {label}")
        groups = self.table.groupby("configuration", sort=False)
        every = [configuration(str(key), labels[str(key)], rows) for key, rows in groups]
        return best_first([c for c in every if "test_accuracy" in c.metrics])

    @cached_property
    def contenders(self) -> dict[str, list[Configuration]]:
        """Return `ranked` by data set, without those that chose on the test set, unless all did."""
        by_dataset: dict[str, list[Configuration]] = {}
        for c in self.ranked:
            by_dataset.setdefault(c.first("data.name"), []).append(c)
        return {
            name: [c for c in found if not c.chosen_on_test] or found
            for name, found in sorted(by_dataset.items())
        }

    @cached_property
    def representatives(self) -> dict[str, list[Configuration]]:
        """Return by data set the best contender of each model; of one model alone, its best few."""
        chosen = {}
        for name, contenders in self.contenders.items():
            of_model: dict[str, Configuration] = {}
            for c in contenders:
                of_model.setdefault(c.first("config.model"), c)
            several = len(of_model) > 1
            chosen[name] = (list(of_model.values()) if several else contenders)[:REPRESENTATIVES]
        return chosen

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
    diverged = int((runs["status"] == "diverged").sum())
    metrics = {}
    for name in SHOWN:
        column = METRICS[name].column
        values = completed[column].dropna().tolist() if column in completed else []
        if values:
            metrics[name] = over_seeds(values)
    return Configuration(key, label, completed, diverged, metrics)


def best_first(configurations: list[Configuration]) -> list[Configuration]:
    return sorted(configurations, key=lambda c: -c.metrics["test_accuracy"].mean)


def over_seeds(values: list[float]) -> Seeds:
    mean, low, _ = t_interval(values)
    return Seeds(values, mean, None if low is None else mean - low)


def pareto_front(configurations: list[Configuration], cost: str) -> list[Configuration]:
    """Return those that no other beats in both mean accuracy and cost, cheapest first."""
    front: list[Configuration] = []
    for c in sorted(configurations, key=lambda c: (c.metrics[cost].mean, -c.metrics["test_accuracy"].mean)):
        if not front or c.metrics["test_accuracy"].mean > front[-1].metrics["test_accuracy"].mean:
            front.append(c)
    return front


class Rival(NamedTuple):
    """A configuration beside the best one, over shared seeds; p is adjusted for all pairs."""

    configuration: Configuration
    difference: Difference | None
    p: float | None

    @property
    def differs(self) -> bool:
        return self.p is not None and self.p < ALPHA


class Measured(NamedTuple):
    """A study, those of its configurations that have a completed run, and the best beside the others."""

    study: PlannedStudy
    configurations: list[Configuration]
    best: Configuration
    rivals: list[Rival]


def beside_best(configurations: list[Configuration]) -> tuple[Configuration, list[Rival]]:
    """Return the best by mean test accuracy, and each other one beside it, best first.

    p is adjusted for all pairs, so that picking the best by its own figures promises no more than the level
    says: by Holm's procedure, or among more than PAIRS configurations by Bonferroni's, which needs only the
    pairs with the best.
    """
    best, *others = best_first(configurations)
    pairs = {c.key: _difference(best, c) for c in others}
    tested = {key: pair.p for key, pair in pairs.items() if pair is not None and pair.p is not None}
    if len(configurations) > PAIRS:
        number = len(configurations) * (len(configurations) - 1) // 2
        adjusted = {key: min(1.0, p * number) for key, p in tested.items()}
    else:
        rest = (_difference(a, b) for a, b in itertools.combinations(others, 2))
        other_ps = [pair.p for pair in rest if pair is not None and pair.p is not None]
        adjusted = dict(zip(tested, holm([*tested.values(), *other_ps]), strict=False))
    return best, [Rival(c, pairs[c.key], adjusted.get(c.key)) for c in others]


def _difference(first: Configuration, second: Configuration) -> Difference | None:
    return paired_difference(first.by_seed("final.test.top1"), second.by_seed("final.test.top1"))


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


def confusion(configuration: Configuration) -> np.ndarray:
    """Return how often each true class (row) was taken for each class (column), summed over seeds."""
    return np.sum([np.stack(matrix) for matrix in configuration.completed["final.test.confusion"]], axis=0)


def calibration(configuration: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Return mean confidence and accuracy of each bin of confidence with enough images, over all seeds."""
    done = configuration.completed
    if "calibration.images" not in done:
        return np.array([]), np.array([])
    known = done.dropna(subset="calibration.images")
    columns = (known[f"calibration.{name}"].tolist() for name in ("images", "confidence", "accuracy"))
    images, confidence, accuracy = (np.array(values, float) for values in columns)
    total = images.sum(0)
    some = total >= ENOUGH
    return (images * confidence).sum(0)[some] / total[some], (images * accuracy).sum(0)[some] / total[some]
