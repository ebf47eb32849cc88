"""The table of records as the report asks for it: grouped over seeds, by study, by figure of merit."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..plan import Plan, PlannedStudy


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
    """The values of one metric over the seeds of one configuration; `std` is None for a single one."""

    values: list[float]
    mean: float
    std: float | None


class Configuration(NamedTuple):
    """All runs of one configuration; metrics are over those that completed."""

    key: str
    label: str
    runs: pd.DataFrame
    metrics: dict[str, Seeds]

    @property
    def completed(self) -> pd.DataFrame:
        return self.runs[self.runs["status"] == "completed"]

    def count(self, status: str) -> int:
        return int((self.runs["status"] == status).sum())


@dataclass(frozen=True)
class Results:
    plan: Plan
    table: pd.DataFrame
    speed: dict[str, Any] | None = None

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
    """Return mean and sample standard deviation (n - 1)."""
    std = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Seeds(values, float(np.mean(values)), std)


def curve(configuration: Configuration, name: str) -> np.ndarray:
    """Return one field of the epochs of each completed run, (runs, epochs); NaN where it has no value."""
    runs = configuration.completed.get("epochs", [])
    return np.array([[np.nan if e[name] is None else e[name] for e in epochs] for epochs in runs], float)


def held_out_part(configurations: list[Configuration]) -> str:
    """Return which images learning curves are of: validation where every run has some, else test."""
    curves = [curve(configuration, "validation_accuracy") for configuration in configurations]
    return "test" if any(np.isnan(values).any() for values in curves) else "validation"
