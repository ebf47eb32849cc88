"""How much of a plan is done, and how long the rest may take, from the records so far."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .plan import Plan, Run
from .record import METRICS, Record, read_record


class Outlook(NamedTuple):
    """Runs of a plan: done, and waiting with the seconds that they may take, one after another."""

    done: int
    expected_seconds: dict[str, float]
    """By run id, of each waiting run whose model has a record."""
    unknown: list[Run]


def outlook(plan: Plan, runs_folder: Path) -> Outlook:
    """Read the records of the plan's runs and expect each other run to be as fast as its model's records."""
    records = {
        run.id: read_record(path) for run in plan.runs if (path := runs_folder / run.id / METRICS).exists()
    }
    waiting = [run for run in plan.runs if run.id not in records]
    rates = _median_by_model(records, lambda record: record.images_per_second)
    extras = _median_by_model(
        records, lambda record: (record.seconds.total - record.seconds.train) / len(record.epochs)
    )
    images = {
        record.data.name: record.data.train_images + record.data.validation_images
        for record in records.values()
    }
    known = [run for run in waiting if run.config.model in rates and run.config.dataset in images]
    expected = {
        run.id: run.config.epochs
        * (
            (images[run.config.dataset] - run.config.validation_images) / rates[run.config.model]
            + extras[run.config.model]
        )
        for run in known
    }
    return Outlook(len(records), expected, [run for run in waiting if run.id not in expected])


def _median_by_model(records: dict[str, Record], figure: Callable[[Record], float]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for record in records.values():
        values.setdefault(record.config.model, []).append(figure(record))
    return {model: statistics.median(found) for model, found in values.items()}


def in_words(plan: Plan, ahead: Outlook) -> str:
    """Say it in a line or two."""
    lines = [f"{ahead.done} of {len(plan.runs)} runs are done"]
    if ahead.expected_seconds:
        hours = sum(ahead.expected_seconds.values()) / 3600
        number = len(ahead.expected_seconds)
        lines.append(
            f"{number} more take about {hours:.1f} hours, one by one, if as fast as their models' records"
        )
    if ahead.unknown:
        models = sorted({run.config.model for run in ahead.unknown})
        lines.append(f"{len(ahead.unknown)} runs have no record yet to tell from: {', '.join(models)}")
    return "\n".join(lines)
