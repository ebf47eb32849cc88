"""Which differences answer a study's question."""

from typing import NamedTuple

from cifarbench.analysis.configuration import Configuration, by_model
from cifarbench.analysis.family import Rival
from cifarbench.analysis.results import Measured


class Contrast(NamedTuple):
    """Two configurations of a study, the first minus the second; in a grid over models, both of `model`."""

    first: Configuration
    second: Configuration
    rival: Rival
    model: str = ""

    @property
    def seeds(self) -> int:
        """How many both have."""
        return min(len(self.first.accuracies), len(self.second.accuracies))

    @property
    def same_runs(self) -> bool:
        """Whether both trained alike to the bit, as if they were one configuration."""
        return same_runs(self.first, self.second)


def contrasts(measured: Measured) -> list[Contrast]:
    """Return each step beside the one before where the study says so; the best beside the others of its model
    in a grid over models; else the best beside the others."""
    family, members = measured.family, measured.configurations
    if measured.study.compare == "previous":
        pairs = zip(members[1:], members, strict=False)
        return [Contrast(later, earlier, family.beside(later, earlier)) for later, earlier in pairs]
    if not is_grid_over_models(measured):
        return [Contrast(measured.best, rival.configuration, rival) for rival in measured.rivals]
    found = []
    for model, group in by_model(members).items():
        best, rivals = family.beside_best(group)
        found += [Contrast(best, rival.configuration, rival, model) for rival in rivals]
    return found


def is_grid_over_models(measured: Measured) -> bool:
    """Tell whether every one of several models has several configurations."""
    groups = by_model(measured.configurations).values()
    return len(groups) > 1 and all(len(group) > 1 for group in groups)


def same_runs(first: Configuration, second: Configuration) -> bool:
    columns = ("final.test.top1", "final.test.loss")
    (a, b), (c, d) = ([of.by_seed(column) for column in columns] for of in (first, second))
    return len(a) > 0 and (a, b) == (c, d)
