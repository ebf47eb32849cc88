"""How much of a plan is done, and how long the rest may take, from the records so far."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from cifarbench.machine import device_name_for
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Record, read_record
from cifarbench.words import count, duration, listed


class Outlook(NamedTuple):
    """Runs of a plan: done, and waiting with the seconds that they may take, one after another."""

    done: int
    expected_seconds: dict[str, float]
    """By run id, of each waiting run whose model and data set have a record."""
    unknown: list[Run]


def outlook(plan: Plan, runs_folder: Path) -> Outlook:
    """Read the records of the plan's runs and expect each other run to be as fast as they say."""
    return expect(
        plan,
        {run.id: read_record(path) for run in plan.runs if (path := runs_folder / run.id / RECORD).exists()},
    )


def expect(
    plan: Plan, records: Mapping[str, Record], machine: Callable[[str], str] = device_name_for
) -> Outlook:
    """Expect each run without a record to be as fast as the records that are most like it.

    That is those of its configuration on this machine's hardware, else of its model there, else of its model;
    `machine` names the hardware for a device.
    """
    pace, images = paces(records.values()), {}
    for record in records.values():
        images[record.data.name] = record.data.train_images + record.data.validation_images
    waiting = [run for run in plan.runs if run.id not in records]
    expected: dict[str, float] = {}
    for run in waiting:
        here = machine(run.config.device)
        likeness = [(run.configuration, here), (run.config.model, here), (run.config.model, "")]
        like = next((key for key in likeness if key in pace), None)
        if like and run.config.dataset in images:
            train_images = images[run.config.dataset] - run.config.validation_images
            images_per_second, extra_seconds = pace[like]
            expected[run.id] = run.config.epochs * (train_images / images_per_second + extra_seconds)
    return Outlook(len(records), expected, [run for run in waiting if run.id not in expected])


def paces(records: Iterable[Record]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return median images per second, and seconds beside training per epoch.

    By configuration and device, by model and device, and by model alone (with ""), for which the times of a
    machine that did other work meanwhile are good enough.
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        beside = (record.seconds.total - record.seconds.train) / len(record.epochs)
        here, model = record.environment.device_name, record.config.model
        of_others = [(record.configuration, here), (model, here)] if record.times == "alone" else []
        for key in (*of_others, (model, "")):
            found.setdefault(key, []).append((record.images_per_second, beside))
    return {
        key: (statistics.median(rate for rate, _ in pairs), statistics.median(extra for _, extra in pairs))
        for key, pairs in found.items()
    }


def in_words(plan: Plan, ahead: Outlook) -> str:
    """Say it in a line or two."""
    done = count(len(plan.runs), "run is done", "runs are done")
    lines = [f"{ahead.done} of {done}"]
    if ahead.expected_seconds:
        number = len(ahead.expected_seconds)
        takes = count(number, "more takes", "more take")
        lines.append(
            f"{takes} about {duration(sum(ahead.expected_seconds.values()))}, "
            "one by one, if as fast as the records of the same models"
        )
    if ahead.unknown:
        models = sorted({run.config.model for run in ahead.unknown})
        have = count(len(ahead.unknown), "run has", "runs have")
        lines.append(f"{have} no record yet to tell from: {listed(models)}")
    return "\n".join(lines)
