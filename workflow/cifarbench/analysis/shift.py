"""How configurations do on other images than those of the test set, as far as they were tested on some."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration, Seeds, mean_of

TESTS = "final.extra_tests"


class Shifted(NamedTuple):
    """A configuration's accuracy on each extra test, and by test the mean over its runs on each group of
    images in it, such as those of one corruption and severity."""

    configuration: Configuration
    tests: dict[str, Seeds]
    groups: dict[str, dict[str, float]]


def shifted(configuration: Configuration) -> Shifted:
    accuracies: dict[str, list[float]] = {}
    groups: dict[str, dict[str, list[float]]] = {}
    for test in _tests(configuration):
        accuracies.setdefault(test["name"], []).append(test["top1"])
        for group in _some(test.get("groups")):
            of_test = groups.setdefault(test["name"], {})
            of_test.setdefault(group["name"], []).append(group["top1"])
    return Shifted(
        configuration,
        {name: mean_of(values, share=True) for name, values in accuracies.items()},
        {test: {name: float(np.mean(values)) for name, values in of.items()} for test, of in groups.items()},
    )


def _tests(configuration: Configuration) -> Iterable[dict[str, Any]]:
    for found in configuration.by_seed(TESTS).values():
        yield from _some(found)


def _some(found: Any) -> Iterable[dict[str, Any]]:
    """Return what is in a list of a table; nothing where a record is from before there was one."""
    return found if np.ndim(found) else ()


def margin(groups: dict[str, float], part: int) -> dict[str, float]:
    """Return the mean over all groups that have one part of their names, `corruption/severity`, in common."""
    found: dict[str, list[float]] = {}
    for name, accuracy in groups.items():
        found.setdefault((name.split("/") * 2)[part], []).append(accuracy)
    return {name: float(np.mean(values)) for name, values in found.items()}
