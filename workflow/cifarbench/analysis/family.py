"""One family of comparisons for each data set: all pairs of its configurations, tested at once.

The head of the page, its findings, studies and tables all take their differences from here, so that no
sentence contradicts another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration, best_first, by_model
from cifarbench.analysis.power import seeds_to_tell
from cifarbench.analysis.stats import (
    FEWEST,
    Difference,
    Interval,
    collapsed,
    family_level,
    single_seed_noise,
    welch,
)
from cifarbench.plan.plan import PlannedStudy

SMALLEST = 0.005  # difference of accuracy that is worth telling


class Rival(NamedTuple):
    """A configuration beside a better one: the better one minus it, as one pair of `number` configurations
    at one of several looks. Without FEWEST runs of both there is no difference that could be tested."""

    configuration: Configuration
    difference: Difference | None
    number: int
    looks: int = 1

    @property
    def interval(self) -> Interval | None:
        """The interval that excludes zero just where the two are told apart."""
        level = family_level(self.number, self.looks)
        return self.difference and self.difference.simultaneous(self.number, level)

    @property
    def differs(self) -> bool:
        return self.difference is not None and self.difference.differs(self.number, self.looks)

    @property
    def p(self) -> float | None:
        """The p-value among all pairs; takes ten milliseconds."""
        return None if self.difference is None else self.difference.p_family(self.number)

    def seeds_needed(self, better: Configuration, smallest: float = SMALLEST) -> int | None:
        """Return the seeds of each that would tell the two apart, if they differ as it looks, at least by
        `smallest`: no more than there are where such a difference would have shown; None for too many."""
        values = (better.accuracies, self.configuration.accuracies)
        if min(map(len, values)) < FEWEST:
            return FEWEST
        effect = max(abs(float(np.mean(values[0]) - np.mean(values[1]))), smallest)
        first, second = (float(np.std(v, ddof=1)) for v in values)
        return seeds_to_tell(effect, first, second, self.number, self.looks)


@dataclass(frozen=True)
class Family:
    """The configurations of one data set that have a run, and how often their seeds were looked at before
    it was settled how many there are."""

    dataset: str
    configurations: list[Configuration]
    looks: int = 1

    @cached_property
    def number(self) -> int:
        """How many can be compared."""
        tested = sum(len(c.accuracies) >= FEWEST for c in self.configurations)
        return max(2, tested)

    @property
    def level(self) -> float:
        return family_level(self.number, self.looks)

    def of(self, study: PlannedStudy) -> list[Configuration]:
        """Return the study's configurations among these, in the study's order."""
        found = {c.key: c for c in self.configurations}
        return [found[key] for key in study.labels if key in found]

    @cached_property
    def noise(self) -> float | None:
        """The standard deviation over seeds of a typical configuration."""
        return single_seed_noise([c.accuracies for c in self.configurations])

    @cached_property
    def _noise_of_models(self) -> dict[str, float | None]:
        """The same of each model that has enough configurations to tell what is typical of it."""
        return {
            model: single_seed_noise([c.accuracies for c in group])
            for model, group in by_model(self.configurations).items()
            if sum(len(c.accuracies) >= FEWEST for c in group) >= FEWEST
        }

    def collapsed(self, c: Configuration) -> list[bool]:
        """Say of each run whether it fell far below the configuration's best one."""
        return collapsed(c.accuracies, self._noise_of_models.get(c.first("config.model"), self.noise))

    def beside_best(self, members: Sequence[Configuration]) -> tuple[Configuration, list[Rival]]:
        """Return the best of some members by its mean test accuracy, and each other one beside it."""
        best, *others = best_first(members)
        return best, [self.beside(best, other) for other in others]

    def beside(self, better: Configuration, other: Configuration) -> Rival:
        resolution = max(better.resolution, other.resolution)
        difference = welch(better.accuracies, other.accuracies, resolution)
        return Rival(other, difference, self.number, self.looks)
