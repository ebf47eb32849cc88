"""The table of records as the report asks for it: by data set, by study, best first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from cifarbench.analysis.compare import Comparison
from cifarbench.analysis.compare import compare as compare_tables
from cifarbench.analysis.configuration import Configuration, best_first, configuration
from cifarbench.analysis.family import Family, Rival
from cifarbench.analysis.judged import Judged, judge_plan
from cifarbench.analysis.names import study_names, table_names
from cifarbench.analysis.stats import single_seed_noise
from cifarbench.plan.plan import Plan, PlannedStudy
from cifarbench.records.evaluated import Evaluated
from cifarbench.records.verified import Verified

REPRESENTATIVES = 8  # configurations whose mistakes are looked at


@dataclass(frozen=True)
class Results:
    plan: Plan
    table: pd.DataFrame
    speed: dict[str, Any] | None = None
    baseline: pd.DataFrame | None = None
    pictures: pd.DataFrame | None = None
    evaluated: Sequence[Evaluated] = ()
    verified: Verified = field(default_factory=Verified)

    @cached_property
    def judged(self) -> Judged:
        return judge_plan(self.plan, self.table)

    @cached_property
    def comparison(self) -> Comparison | None:
        return (
            None
            if self.baseline is None
            else compare_tables(self.baseline, self.table, verified=self.verified)
        )

    @cached_property
    def done(self) -> pd.DataFrame:
        """Runs with a record, diverged ones too."""
        return self.table[self.table["status"] != "missing"]

    @cached_property
    def families(self) -> dict[str, Family]:
        """Return all configurations that have a run by data set, in the order of the plan."""
        names = table_names(self.plan, self.done["configuration"])
        by_dataset: dict[str, list[Configuration]] = {}
        for key, rows in self.done.groupby("configuration", sort=False):
            found = configuration(str(key), names[str(key)], rows)
            by_dataset.setdefault(found.first("data.name"), []).append(found)
        looks = max((len(study.schedule) for study in self.plan.studies if study.schedule), default=1)
        return {name: Family(name, found, looks) for name, found in sorted(by_dataset.items())}

    @cached_property
    def studies(self) -> list["Measured"]:
        """Return each study that has a run, once for each of its data sets."""
        return [
            measured(study, family, *self._named(study, family), members)
            for study in self.plan.studies
            for family in self.families.values()
            if (members := family.of(study))
        ]

    def _named(self, study: PlannedStudy, family: Family) -> tuple[str, str]:
        """Return name and title of a study, with the data set where there are several."""
        if len(self.families) == 1:
            return study.name, study.title
        return f"{study.name}-{family.dataset}", f"{study.title} ({family.dataset})"

    @cached_property
    def ranked(self) -> list[Configuration]:
        """All configurations that have a run, each once, best mean test accuracy first."""
        return best_first([c for family in self.families.values() for c in family.configurations])

    @cached_property
    def contenders(self) -> dict[str, list[Configuration]]:
        """Return `ranked` by data set, without those that chose on the test set and without single draws,
        unless all are such."""
        ranked = {name: best_first(family.configurations) for name, family in self.families.items()}
        fair = {name: [c for c in found if not c.chosen_on_test] or found for name, found in ranked.items()}
        return {
            name: [c for c in found if c.key not in self.single_draws] or found
            for name, found in fair.items()
        }

    @cached_property
    def single_draws(self) -> set[str]:
        """Return the configurations that only studies of the noise have: the best of them is the luckiest."""
        crossed, others = (
            {key for study in self.plan.studies if study.is_crossed == kind for key in study.labels}
            for kind in (True, False)
        )
        return crossed - others

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


class Measured(NamedTuple):
    """A study on one data set: its configurations that have a run, in the order of the config, and the best
    beside the others, as pairs of the data set's family."""

    study: PlannedStudy
    family: Family
    name: str
    title: str
    configurations: list[Configuration]
    best: Configuration
    rivals: list[Rival]
    shared: list[str]
    """What is said once for all configurations, because their labels share it."""

    @property
    def noise(self) -> float | None:
        """The standard deviation over seeds of a typical configuration of which no run collapsed."""
        stable = [c for c in self.configurations if not any(self.family.collapsed(c))]
        return single_seed_noise([c.accuracies for c in stable])


def measured(
    study: PlannedStudy, family: Family, name: str, title: str, members: list[Configuration]
) -> Measured:
    labels, shared = study_names({c.key: study.labels[c.key] for c in members})
    called = [c._replace(label=labels[c.key]) for c in members]
    return Measured(study, family, name, title, called, *family.beside_best(called), shared)


class OnFront(NamedTuple):
    """A configuration that no other beats in both mean accuracy and cost, and how sure that is: whether it is
    told apart in accuracy from the next cheaper one of these, and each of its runs cost more."""

    configuration: Configuration
    better: bool = True
    dearer: bool = True


def pareto_front(family: Family, cost: str) -> list[OnFront]:
    """Return the Pareto front, cheapest first."""
    priced = [c for c in family.configurations if cost in c.metrics]
    front: list[OnFront] = []
    for c in sorted(priced, key=lambda c: (c.metrics[cost].centre, -c.metrics["test_accuracy"].centre)):
        cheaper = front[-1].configuration if front else None
        if cheaper is None:
            front.append(OnFront(c))
        elif c.metrics["test_accuracy"].centre > cheaper.metrics["test_accuracy"].centre:
            dearer = min(c.metrics[cost].values) > max(cheaper.metrics[cost].values)
            front.append(OnFront(c, family.beside(c, cheaper).differs, dearer))
    return front
