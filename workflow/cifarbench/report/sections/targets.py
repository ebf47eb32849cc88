"""What it takes to reach the accuracies that a study names: epochs, images, work and time."""

from collections.abc import Iterator
from typing import Any

from cifarbench.analysis.results import Measured, Results
from cifarbench.analysis.targets import EFFORTS, Reached, part_of, reached
from cifarbench.report import target_figures
from cifarbench.report.drawing import plot
from cifarbench.report.section import Section, study_anchor
from cifarbench.report.strips import Entry, Strips, strips
from cifarbench.report.words import about, slug
from cifarbench.words import listed

PLACE = 45
DRAWN = ("flops", "seconds")


def sections(results: Results) -> Iterator[Section]:
    for measured in results.studies:
        if measured.study.target_accuracy:
            yield section(measured, results.same_hardware)


def section(measured: Measured, same_hardware: bool) -> Section:
    members = measured.configurations
    part = part_of(members)
    found = {target: [reached(c, target, part) for c in members] for target in measured.study.target_accuracy}
    name = slug(f"targets-{measured.name}")
    content: dict[str, Any] = {
        "study": (study_anchor(measured.name), measured.title),
        "part": part,
        "efforts": {effort: metric.heading for effort, metric in EFFORTS.items()},
        "targets": [(said(target), [row(one) for one in ones]) for target, ones in found.items()],
        "strips": [
            shown
            for ones in found.values()
            for effort in DRAWN
            if (effort != "seconds" or same_hardware) and (shown := figure(ones, effort))
        ],
    }
    alt = f"{measured.title}: work (TFLOPs) until {part} accuracy is reached. " + in_words(found)
    plots = [plot(target_figures.work, name, found, alt)] if content["strips"] else []
    return Section(name, f"Time to accuracy: {measured.title}", "targets", content, plots)


def said(target: float) -> str:
    return f"{100 * target:g} %"


def row(one: Reached) -> tuple[str, str, list[str]]:
    """Return a configuration's label, how many runs did not get there, and what the others took."""
    missed = one.runs - one.reached
    short = (
        f"not reached in {missed} of {one.runs}"
        if missed
        else f"reached in {'all ' * (one.runs > 1)}{one.runs}"
    )
    return one.configuration.label, short, [told(one, effort) for effort in EFFORTS]


def told(one: Reached, effort: str) -> str:
    """Write a mean ± half its interval, times as their median, shortest and longest; of two runs, both."""
    seeds, metric = one.over_seeds(effort), EFFORTS[effort]
    if seeds is None:
        return "–"
    if effort == "seconds":
        return about(seeds)
    if seeds.low is None or seeds.high is None:
        return listed([metric.number(value) for value in seeds.values])
    return f"{metric.number(seeds.centre)} ± {metric.number((seeds.high - seeds.low) / 2)}"


def figure(ones: list[Reached], effort: str) -> Strips | None:
    """Draw the runs that reached a target; None if there are none."""
    metric = EFFORTS[effort]
    there = [one for one in ones if one.efforts[effort]]
    if not there:
        return None
    entries = [Entry(one.configuration.label, one.efforts[effort], one.over_seeds(effort)) for one in there]
    alt = f"{metric.heading} until {said(there[0].target)}: " + "; ".join(
        f"{one.configuration.label} {told(one, effort)}, {row(one)[1]}" for one in there
    )
    beside = [told(one, effort) + (f", {row(one)[1]}" if one.reached < one.runs else "") for one in there]
    drawn = strips(entries, metric, alt, beside)
    return drawn._replace(heading=f"{metric.heading} until {said(there[0].target)}")


def in_words(found: dict[float, list[Reached]]) -> str:
    return " ".join(
        f"{said(target)}: "
        + "; ".join(f"{one.configuration.label} {told(one, 'flops')}, {row(one)[1]}" for one in ones)
        + "."
        for target, ones in found.items()
    )
