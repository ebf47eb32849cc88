"""What to use: the most accurate, the best for little, and what not to do, each by a stated rule."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from math import log
from typing import NamedTuple

from cifarbench.analysis.configuration import Configuration, best_first
from cifarbench.analysis.contrasts import Contrast, contrasts
from cifarbench.analysis.family import Family
from cifarbench.analysis.results import Measured, Results, pareto_front
from cifarbench.analysis.stats import Interval
from cifarbench.records.metrics import METRICS
from cifarbench.report.contrasts import fallen_of
from cifarbench.report.section import Section, study_anchor
from cifarbench.report.strips import Strips, entry, strips
from cifarbench.report.words import about, few, percent, points, spread
from cifarbench.words import listed

PLACE = 10
MANY = 2  # collapsed runs of a configuration, from which it is warned of
WORTH = 1.5  # times faster than the most accurate, from which less accuracy is worth a card


class Card(NamedTuple):
    """An advice, what says so, a small figure, where more stands, and the rule that chose it."""

    title: str
    name: str
    says: str
    figure: Strips
    anchor: str
    rule: str


def sections(results: Results) -> Iterator[Section]:
    cards = [
        (name if len(results.contenders) > 1 else "", [card for card in of_dataset(results, name) if card])
        for name in results.contenders
    ]
    if cards:
        yield Section("use", "What to use", "choices", {"datasets": cards})


def of_dataset(results: Results, dataset: str) -> list[Card | None]:
    family, contenders = results.families[dataset], results.contenders[dataset]
    names = {c.key: c for c in family.configurations}  # as the whole table calls them
    steady = [c for c in contenders if c is contenders[0] or len(fallen_of(c, family)) < MANY]
    family = replace(family, configurations=steady)
    studies = [
        measured._replace(configurations=[names[c.key] for c in measured.configurations])
        for measured in results.studies
        if measured.family.dataset == dataset
    ]
    advised = [
        most_accurate(contenders),
        best_for_little(family, contenders[0]) if results.same_hardware else None,
    ]
    anchors = [card.anchor for card in advised if card]
    return [*advised, collapsing(studies, anchors) or not_to_do(studies, anchors)]


def most_accurate(contenders: list[Configuration]) -> Card:
    best, seconds = contenders[0], contenders[0].metrics.get("seconds")
    time = f" after about {about(seconds)} of training" if seconds else ""
    return Card(
        "Most accurate",
        best.label,
        f"{spread(best.metrics['test_accuracy'], 'test_accuracy')} of the test images right{time}.",
        small([best, *contenders[1:2]]),
        run_anchor(best),
        "The highest mean test accuracy, its epoch not chosen on the test images.",
    )


def best_for_little(family: Family, best: Configuration) -> Card | None:
    knee = knee_of(family)
    ours, theirs = (c.metrics.get("seconds") if c else None for c in (knee, best))
    if knee is None or ours is None or theirs is None or max(ours.values) >= min(theirs.values):
        return None
    faster = theirs.centre / ours.centre
    if faster < WORTH:
        return None
    less = best.metrics["test_accuracy"].centre - knee.metrics["test_accuracy"].centre
    accuracy = spread(knee.metrics["test_accuracy"], "test_accuracy")
    times = few(round(faster), "time") if faster >= 3 else f"{faster:.1f} times"
    return Card(
        "Best for little",
        knee.label,
        f"{accuracy} in about {about(ours)}: "
        f"{times} faster than the most accurate, for {100 * less:.1f} points less.",
        small([best, knee]),
        run_anchor(knee),
        "Of those of which at most one run collapsed, and that nothing else beats in both accuracy and time, "
        "the one farthest above the straight line from the fastest to the most accurate, time taken "
        "logarithmically; each of its runs took less time than each of the most accurate.",
    )


def knee_of(family: Family) -> Configuration | None:
    front = [member.configuration for member in pareto_front(family, "seconds")]
    if len(front) < 2:
        return None
    costs = [log(c.metrics["seconds"].centre) for c in front]
    gains = [c.metrics["test_accuracy"].centre for c in front]

    def height(n: int) -> float:
        share = (costs[n] - costs[0]) / (costs[-1] - costs[0]) if costs[-1] > costs[0] else 0.0
        return gains[n] - gains[0] - share * (gains[-1] - gains[0])

    return front[max(range(len(front) - 1), key=height)]


def run_anchor(c: Configuration) -> str:
    return f"run={c.key}"


def collapsing(studies: list[Measured], advised: Collection[str]) -> Card | None:
    """Warn of what makes most of its runs collapse, but for what other cards advise."""
    found = [
        (len(fallen) / len(c.runs), c, measured)
        for measured in studies
        for c in measured.configurations
        if len(fallen := fallen_of(c, measured.family)) >= MANY and run_anchor(c) not in advised
    ]
    if not found:
        return None
    _, c, measured = max(found, key=lambda one: one[0])
    fallen = fallen_of(c, measured.family)
    return Card(
        "Not this",
        c.label,
        f"{few(len(fallen)).capitalize()} of {few(len(c.runs), 'run')} collapsed to "
        f"{listed([percent(value) for value in fallen.values()])}: {measured.study.title}.",
        small([*best_first(measured.configurations)[:1], c]),
        study_anchor(measured.study.name),
        "The configuration of which the largest share of runs collapsed, at least two: they end far below "
        "its best.",
    )


def not_to_do(studies: list[Measured], advised: Collection[str]) -> Card | None:
    """Warn of the largest loss by a knob, but for what other cards advise."""
    decided = [
        (abs(contrast.rival.interval.mean), contrast, measured)
        for measured in studies
        for contrast in contrasts(measured)
        if contrast.rival.differs and contrast.rival.interval
        if contrast.first.first("config.model") == contrast.second.first("config.model")
        if run_anchor(best_first([contrast.first, contrast.second])[1]) not in advised
    ]
    if not decided:
        return None
    _, contrast, measured = max(decided, key=lambda found: found[0])
    called = {c.key: c for c in measured.configurations}
    first, second = best_first([called[contrast.first.key], called[contrast.second.key]])
    said = points(best_minus_other(contrast))
    high, low = (percent(c.metrics["test_accuracy"].centre) for c in (first, second))
    return Card(
        "Not this",
        second.label,
        f"{low}, where {first.label} reaches {high} ({said}): {measured.study.title}.",
        small([first, second]),
        study_anchor(measured.study.name),
        "The largest difference between two configurations of one model, within a study, that is beyond seed "
        "noise.",
    )


def best_minus_other(contrast: Contrast) -> Interval:
    """Return the difference as one of the better minus the other."""
    interval = contrast.rival.interval
    assert interval is not None  # it is decided
    mean, low, high = interval
    return interval if mean > 0 else Interval(-mean, -high, -low)


def small(configurations: list[Configuration]) -> Strips:
    entries = [entry(c, "test_accuracy") for c in configurations]
    said = [spread(c.metrics["test_accuracy"], "test_accuracy") for c in configurations]
    alt = "Test accuracy: " + "; ".join(f"{c.label} {s}" for c, s in zip(configurations, said, strict=True))
    return strips(entries, METRICS["test_accuracy"], alt, said)
