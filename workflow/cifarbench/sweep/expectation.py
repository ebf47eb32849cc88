"""How much of a plan is done, and how long the rest may take, from the records so far."""

import functools
import itertools
import json
import math
import statistics
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.machine import device_name_for
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Record, read_record


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


def expect(plan: Plan, records: Mapping[str, Record]) -> Outlook:
    """Expect each run without a record to be as fast as the records that are most like it.

    That is those of its configuration on this machine's hardware, else of its model there, else of its model.
    """
    pace, images = paces(records.values()), {}
    for record in records.values():
        images[record.data.name] = record.data.train_images + record.data.validation_images
    waiting = [run for run in plan.runs if run.id not in records]
    expected: dict[str, float] = {}
    for run in waiting:
        here = device_name_for(run.config.device)
        likeness = [(run.configuration, here), (run.config.model, here), (run.config.model, "")]
        like = next((key for key in likeness if key in pace), None)
        if like and run.config.dataset in images:
            train_images = images[run.config.dataset] - run.config.validation_images
            images_per_second, extra_seconds = pace[like]
            expected[run.id] = run.config.epochs * (train_images / images_per_second + extra_seconds)
    return Outlook(len(records), expected, [run for run in waiting if run.id not in expected])


def paces(records: Iterable[Record]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return median images per second, and seconds beside training per epoch.

    By configuration and device, by model and device, and by model alone (with "").
    """
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for record in records:
        beside = (record.seconds.total - record.seconds.train) / len(record.epochs)
        here, model = record.environment.device_name, record.config.model
        for key in ((record.configuration, here), (model, here), (model, "")):
            found.setdefault(key, []).append((record.images_per_second, beside))
    return {
        key: (statistics.median(rate for rate, _ in pairs), statistics.median(extra for _, extra in pairs))
        for key, pairs in found.items()
    }


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


START_MINUTES = 10  # imports from a slow drive, set-up, the last evaluation
RECORDS = 5  # of a model, whose slowest tells how fast it is
MARGIN = 2  # for evaluation, and a slower machine
# Without a record. Low on purpose: a GPU of the last years does several times that, as a thread with a
# small model does.
IMAGES_PER_SECOND = {"auto": 1000, "cuda": 1000, "cpu": 100}
PROCESS_MB = 4000  # LeNet-5 takes 1,000 on a processor; the rest is for CUDA, or a larger model's activations
DATA_COPIES = 4  # of the file of images, in which a pixel is a byte


def minutes(configs: Iterable[TrainConfig], manifest: str, runs_folder: Path, attempt: int) -> int:
    """Return the time for training `configs`, one after another, on the data of `manifest`."""
    images = sum(json.loads(Path(manifest).read_text(encoding="utf-8"))["train_images"])
    seconds = sum(config.epochs * images / images_per_second(config, runs_folder) for config in configs)
    return attempt * math.ceil(START_MINUTES + seconds / 60)


def images_per_second(config: TrainConfig, runs_folder: Path) -> float:
    measured = measured_rates(config.model, runs_folder)
    return min(measured) / MARGIN if measured else IMAGES_PER_SECOND[config.device]


@functools.cache
def measured_rates(model: str, runs_folder: Path) -> list[float]:
    """Return the images per second of a few records of a model."""
    rates = []
    for path in itertools.islice(runs_folder.glob(f"{model}[_-]*/{RECORD}"), RECORDS):
        with suppress(UserError):  # `collect` will say what is wrong with it
            rates.append(read_record(path).images_per_second)
    return rates


def megabytes(images: str, attempt: int) -> int:
    """Return the memory for training on the file `images`."""
    return attempt * math.ceil(PROCESS_MB + DATA_COPIES * Path(images).stat().st_size / 1e6)
