"""The head of the page: one verdict for each data set in sentences, and what was compared."""

import numpy as np

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.family import Rival
from cifarbench.analysis.predictions import error_of_images
from cifarbench.analysis.results import Results
from cifarbench.analysis.stats import FEWEST
from cifarbench.report.words import duration, few, number, points, spread
from cifarbench.words import count, listed


def summary(results: Results) -> list[str]:
    """Say what is the most accurate, what comes next, and whether the difference is decided."""
    if not results.ranked:
        return [f"None of the {count(len(results.plan.runs), 'planned run')} has completed yet."]
    sentences = [
        sentence
        for dataset, contenders in results.contenders.items()
        for sentence in verdict(results, dataset, contenders)
    ]
    return [*sentences, *_left_out(results), _compared(results)]


def _left_out(results: Results) -> list[str]:
    """Say which configurations are no contenders, and why."""
    contenders = {c.key for found in results.contenders.values() for c in found}
    left = [c for c in results.ranked if c.key not in contenders]
    said = []
    if any(c.chosen_on_test for c in left):
        said.append("those whose epoch was chosen on the test images, which flatters")
    if any(c.key in results.single_draws for c in left):
        said.append("single draws of weights and order, of which one is lucky")
    return [f"Left out of this are {listed(said)}."] if said else []


def verdict(results: Results, dataset: str, contenders: list[Configuration]) -> list[str]:
    best, rivals = results.families[dataset].beside_best(contenders)
    where = f" on {dataset}" if len(results.contenders) > 1 else ""
    accuracy = best.metrics["test_accuracy"]
    first = (
        f"The most accurate{where} is {best.label}: {spread(accuracy, 'test_accuracy')} of "
        f"{number(best.first('final.test.images'))} test images right ({few(len(accuracy.values), 'seed')})."
    )
    if not rivals:
        return [first]
    following, others = rivals[0], rivals[1:]
    second = (
        f"Next is {following.configuration.label} with "
        f"{spread(following.configuration.metrics['test_accuracy'], 'test_accuracy')}; "
    )
    if following.interval is None:
        second += f"fewer than {few(FEWEST, 'seed')} of each tell nothing about the difference."
    elif following.differs:
        second += f"the difference is beyond seed noise ({points(following.interval)})."
    else:
        second += f"these seeds cannot separate the two ({points(following.interval)})."
    return [first, second, *_others(others), *_image_error(best)]


def _others(rivals: list[Rival]) -> list[str]:
    """Say how many of the others are lower, and how many are undecided or could not be tested."""
    tested = sum(rival.interval is not None for rival in rivals)
    lower = sum(bool(rival.differs) for rival in rivals)
    if not tested:
        return []
    untested = len(rivals) - tested
    parts = (
        (lower, "lower beyond seed noise"),
        (tested - lower, "undecided"),
        (untested, "without enough seeds"),
    )
    there = [(n, what) for n, what in parts if n]
    if len(there) == 1:
        who = {1: "The one other is", 2: "Both others are"}.get(
            len(rivals), f"All {few(len(rivals))} others are"
        )
        return [f"{who} {there[0][1]}."]
    said = listed([f"{few(n, 'is', 'are')} {what}" for n, what in there])
    return [f"Of {few(len(rivals), 'other')}, {said}."]


def _image_error(best: Configuration) -> list[str]:
    """Set the error that the choice of test images brings beside that of the seeds."""
    images, accuracies = error_of_images(best), best.accuracies
    if images is None or len(accuracies) < FEWEST:
        return []
    seeds = float(np.std(accuracies, ddof=1)) / len(accuracies) ** 0.5
    return [
        f"The standard error of that mean is {100 * seeds:.2f} points from the seeds and {100 * images:.2f} "
        "from the choice of test images."
    ]


def _compared(results: Results) -> str:
    """Say how much was trained, tested on what."""
    data = [
        f"{name} ({number(float(rows['data.test_images'].iloc[0]))} test images)"
        for name, rows in results.done.groupby("data.name")
    ]
    return (
        f"{count(len(results.done), 'run')} of {count(len(results.ranked), 'configuration')} on "
        f"{' and '.join(data)}; {count(len(results.plan.runs), 'run is', 'runs are')} planned."
    )


def headline(results: Results) -> list[tuple[str, str]]:
    """Return small facts for the head of the page: (number, what it counts)."""
    seconds = results.done["seconds.total"].sum() if "seconds.total" in results.done else 0.0
    time, unit = duration(seconds).split()
    return [
        (f"{len(results.done):,}", f"of {count(len(results.plan.runs), 'run')} done"),
        (time, f"{unit} of training in all"),
    ]
