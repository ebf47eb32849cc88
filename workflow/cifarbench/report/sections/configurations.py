"""All configurations, best first, each with a card that cites and checks it; page.js sorts and filters."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cifarbench.analysis.configuration import Configuration, shown
from cifarbench.analysis.names import APART
from cifarbench.analysis.results import Results
from cifarbench.config.ids import format_value
from cifarbench.records.metrics import METRICS
from cifarbench.report.cards import cards
from cifarbench.report.section import Section, study_anchor

PLACE = 30
TOLD_APART = ("study", *APART)


def sections(results: Results) -> Iterator[Section]:
    if not results.ranked:
        return
    knobs = knobs_of(results)
    titles = {study.name: study.title for study in results.plan.studies}
    content = {
        "configurations": results.ranked,
        "seeds": {c.key: seeds_of(c) for c in results.ranked},
        "metrics": {name: METRICS[name] for name in shown(results.ranked)},
        "hardware": hardware(results),
        "knobs": {key: dict(own) for key, own in knobs.items()},
        "knob_names": sorted({name for own in knobs.values() for name, _ in own} - set(TOLD_APART)),
        "words": {c.key: search_words(c, knobs[c.key]) for c in results.ranked},
        "studies": {
            key: [(value, study_anchor(value), titles[value]) for name, value in own if name == "study"]
            for key, own in knobs.items()
        },
        "filters": filters(knobs),
        "example": example(filters(knobs)),
        "cards": cards(results),
    }
    yield Section("configurations", "All configurations", "configurations", content)


class Run(NamedTuple):
    """What a row says of one run."""

    seed: int
    accuracy: float
    loss: float | None
    seconds: float
    epochs: int
    status: str
    epoch: int
    chosen_by: str
    shared: bool
    """Whether its machine did other work meanwhile."""
    tracked: list[str]


def seeds_of(c: Configuration) -> list[Run]:
    columns = ("config.seed", "final.test.top1", "final.test.loss", "seconds.train")
    kept = ("status", "final.epoch", "final.chosen_by")
    values = (c.runs[name].tolist() for name in columns)
    times, tracked = (c.runs.reindex(columns=[name])[name] for name in ("times", "tracked"))
    by_name = (*(c.runs[name] for name in kept), times.eq("shared"), tracked.map(trackers))
    return [
        Run(
            int(seed),
            accuracy,
            loss if loss == loss else None,
            seconds,
            len(epochs),
            status,
            int(epoch),
            *others,
        )
        for seed, accuracy, loss, seconds, epochs, status, epoch, *others in zip(
            *values, c.runs["epochs"], *by_name, strict=True
        )
    ]


def trackers(told: object) -> list[str]:
    """Return who was told of a run; nobody where the record is older than they are."""
    return list(told) if isinstance(told, Iterable) else []


def hardware(results: Results) -> str:
    """Return what times are of; nothing where they are of several machines."""
    names, threads = (results.distinct(f"environment.{name}") for name in ("device_name", "threads"))
    if len(names) != 1 or len(threads) != 1:
        return ""
    return f"{names[0]}, {threads[0]:.0f} thread{'s' if threads[0] > 1 else ''}"


def knobs_of(results: Results) -> dict[str, list[tuple[str, str]]]:
    """Return for each configuration its studies, data set, model and changed knobs, as (name, value)."""
    configs = {run.configuration: run.config for run in results.plan.runs}
    studies: dict[str, list[tuple[str, str]]] = {}
    for study in results.plan.studies:
        for key in study.labels:
            studies.setdefault(key, []).append(("study", study.name))
    return {
        c.key: [
            *studies[c.key],
            ("dataset", configs[c.key].dataset),
            ("model", configs[c.key].model),
            *(
                (name, format_value(value))
                for name, value in configs[c.key].changed().items()
                if name not in TOLD_APART
            ),
        ]
        for c in results.ranked
    }


def search_words(c: Configuration, knobs: list[tuple[str, str]]) -> str:
    """Return what a filter finds a configuration by: its name and name=value."""
    return " ".join([c.label, *(f"{name}={value}" for name, value in knobs)]).lower()


def filters(knobs: dict[str, list[tuple[str, str]]]) -> dict[str, list[str]]:
    """Return by name the values that tell configurations apart."""
    values: dict[str, set[str]] = {}
    for name, value in (pair for own in knobs.values() for pair in own):
        values.setdefault(name, set()).add(value)
    return {name: sorted(found) for name, found in values.items() if len(found) > 1 or name not in TOLD_APART}


def example(filters: dict[str, list[str]]) -> str:
    """Return a filter that finds something."""
    return next((f"{name}={values[0]}" for name, values in filters.items() if name not in TOLD_APART), "")
