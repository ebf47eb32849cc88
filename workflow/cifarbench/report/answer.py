"""The head of the page: the answer in sentences, what each study found, and small figures."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.family import Family, Rival
from cifarbench.analysis.predictions import error_of_images
from cifarbench.analysis.results import Measured, Results
from cifarbench.analysis.stats import FEWEST
from cifarbench.analysis.verdicts import TESTED, counts
from cifarbench.report.section import study_anchor
from cifarbench.report.words import number, percent, points, spread
from cifarbench.words import count, listed

FINDINGS = 5  # studies whose finding is told at once
# Outcomes of one claim and of several, in a sentence.
SAID = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "within seed noise": ("is within seed noise", "are within seed noise"),
    "artefact": ("is an artefact", "are artefacts"),
}


def summary(results: Results) -> list[str]:
    """Say the answer in sentences: what was compared, what is best, what is cheapest within a point of it."""
    if not results.ranked:
        return [f"None of the {count(len(results.plan.runs), 'planned run')} has completed yet."]
    sentences = [_compared(results)]
    for name, contenders in results.contenders.items():
        best, rivals = results.families[name].beside_best(contenders)
        sentences.append(_best(name, best, several=len(results.contenders) > 1))
        sentences += told_apart(results.families[name], best, rivals)
        sentences += _cheapest(contenders) if results.same_hardware else []
    if not results.same_hardware:
        sentences.append("The runs come from different hardware, so their times are not compared.")
    if sum(map(len, results.contenders.values())) < len(results.ranked):
        sentences.append(
            "Left out of this are those whose epoch was chosen on the test images, which flatters."
        )
    return sentences + _claims_in_a_sentence(results)


def _claims_in_a_sentence(results: Results) -> list[str]:
    """Count the claims that were tested, by outcome."""
    number = counts(results.verdicts)
    tested = sum(number[outcome] for outcome in TESTED)
    if tested == 0:
        return []
    outcomes = listed([f"{n} {SAID[o][n > 1]}" for o in TESTED if (n := number[o])])
    return [f"Of {len(results.verdicts)} published claims, {tested} could be tested: {outcomes}."]


def _compared(results: Results) -> str:
    runs = f"{count(len(results.done), 'run')} of {count(len(results.ranked), 'configuration')}"
    data = [
        f"{name} ({_sizes(rows, 'train')} training, {_sizes(rows, 'validation')} validation and "
        f"{_sizes(rows, 'test')} test images)"
        for name, rows in results.done.groupby("data.name")
    ]
    return f"{runs} were trained and tested on {listed(data)}."


def _sizes(rows: pd.DataFrame, part: str) -> str:
    """Write how many images runs had, each number once."""
    return " or ".join(f"{size:,.0f}" for size in sorted(rows[f"data.{part}_images"].unique()))


def _best(dataset: str, best: Configuration, several: bool) -> str:
    accuracy, images = best.metrics["test_accuracy"], int(best.first("final.test.images"))
    runs = len(accuracy.values)
    around = (
        f"mean and 95 % interval of {count(runs, 'seed')}"
        if runs >= FEWEST
        else "both seeds; two tell no interval"
        if runs == 2
        else "a single seed, so its spread is unknown"
    )
    where = f"on {dataset} " if several else ""
    after = (
        f", after {spread(best.metrics['seconds'], 'seconds')} of training"
        if "seconds" in best.metrics
        else ""
    )
    return (
        f"The highest test accuracy {where}is that of {best.label}: {spread(accuracy, 'test_accuracy')} "
        f"({around}, on these {images:,} images{_image_error(best)}){after}."
    )


def _image_error(best: Configuration) -> str:
    """Set the error that the choice of test images brings beside that of the seeds."""
    images, accuracies = error_of_images(best), best.accuracies
    if images is None:
        return ""
    said = f", whose choice brings a standard error of {100 * images:.2f} points"
    if len(accuracies) < FEWEST:
        return said
    seeds = float(np.std(accuracies, ddof=1)) / len(accuracies) ** 0.5
    return f"{said} beside {100 * seeds:.2f} of the seeds"


def told_apart(family: Family, best: Configuration, rivals: list[Rival]) -> list[str]:
    """Say which of the others are lower beyond noise, which cannot be told from the best, and which have too
    few seeds to be tested."""
    tested = [rival for rival in rivals if rival.difference is not None]
    close = [rival.configuration.label for rival in tested if not rival.differs]
    sentences = []
    if tested:
        lower, are = len(tested) - len(close), "is" if len(tested) == 1 else "are"
        sentences.append(
            f"{lower} of {count(len(tested), 'other')} {are} lower beyond seed noise "
            f"(Games and Howell's test of all pairs of {count(family.number, 'configuration')})."
        )
    if close:
        sentences.append(f"Not told apart from it: {listed(_first_few(close))}.")
    few = [rival for rival in rivals if rival.difference is None]
    if few:
        lacking = max(FEWEST - len(c.accuracies) for c in (best, *(rival.configuration for rival in few)))
        sentences.append(
            f"{count(len(few), 'other is', 'others are')} not tested, for want of seeds; "
            f"{count(lacking, 'more seed')} would do."
        )
    return sentences


def _first_few(labels: list[str]) -> list[str]:
    return labels if len(labels) <= 4 else [*labels[:3], count(len(labels) - 3, "more", "more")]


def _cheapest(ranked: list[Configuration]) -> list[str]:
    """Name the configuration of least training time within a point of the best accuracy, if each of its runs
    took less time than each of the best one's."""
    best = ranked[0]
    enough = best.metrics["test_accuracy"].centre - 0.01
    near = [c for c in ranked if c.metrics["test_accuracy"].centre >= enough and "seconds" in c.metrics]
    cheapest = min(near, key=lambda c: c.metrics["seconds"].centre, default=best)
    ours, theirs = (c.metrics.get("seconds") for c in (cheapest, best))
    if cheapest is best or ours is None or theirs is None or max(ours.values) >= min(theirs.values):
        return []
    return [
        f"Within one point of it, {cheapest.label} took the least time: "
        f"{spread(cheapest.metrics['test_accuracy'], 'test_accuracy')} in {spread(ours, 'seconds')}, "
        f"by the medians {theirs.centre / ours.centre:.1f} times faster."
    ]


class Finding(NamedTuple):
    """What a study shows, in a sentence; `points` is the largest difference that is beyond seed noise."""

    anchor: str
    title: str
    points: float
    sentence: str


def findings(results: Results) -> list[Finding]:
    """Return the strongest finding of each study that compares something, largest first."""
    found = [_finding(measured) for measured in results.studies if measured.rivals]
    return sorted(found, key=lambda finding: -finding.points)


def _finding(measured: Measured) -> Finding:
    anchor, title = study_anchor(measured.name), measured.title
    apart = [rival for rival in measured.rivals if rival.differs]
    intervals = [(rival.interval, rival) for rival in apart if rival.interval is not None]
    if intervals:
        interval, rival = max(intervals, key=lambda pair: pair[0].mean)
        sentence = f"{measured.best.label} beats {rival.configuration.label} by {points(interval)}"
        return Finding(anchor, title, 100 * interval.mean, sentence)
    compared = count(len(measured.configurations), "configuration")
    if all(rival.difference is None for rival in measured.rivals):
        return Finding(anchor, title, 0.0, f"too few seeds to tell a difference between {compared}")
    return Finding(anchor, title, 0.0, f"no difference from the best of {compared} is beyond seed noise")


def headline(results: Results) -> list[tuple[str, str]]:
    """Return small facts for the head of the page: (number, what it counts)."""
    seconds = results.done["seconds.total"].sum() if "seconds.total" in results.done else 0.0
    seeds = len(results.distinct("config.seed"))
    facts = [
        (f"{len(results.done):,}", f"of {count(len(results.plan.runs), 'run')}"),
        (f"{seeds:,}", "seed" if seeds == 1 else "seeds"),
        (f"{seconds / 3600:.2f}", "hours in all"),
    ]
    if "images_per_second" in results.done:
        facts.append((number(results.done["images_per_second"].median()), "images/s, median"))
    for name, contenders in reversed(results.contenders.items()):
        what = f"best test accuracy on {name}" if len(results.contenders) > 1 else "best test accuracy"
        facts.insert(0, (percent(contenders[0].metrics["test_accuracy"].centre), what))
    return facts
