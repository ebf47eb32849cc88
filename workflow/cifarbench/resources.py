"""What a job asks a cluster for, estimated from its runs, their data and what is done already; without torch.

A job that takes more than it asked for is stopped, and a training that was stopped goes on from its
checkpoint. So each attempt asks for more than the one before, and an estimate that is too low costs a
second wait in the queue, but no work.
"""

import functools
import itertools
import json
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from .errors import UserError
from .knobs import TrainConfig
from .record import METRICS, read_record

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
    for path in itertools.islice(runs_folder.glob(f"{model}[_-]*/{METRICS}"), RECORDS):
        with suppress(UserError):  # `collect` will say what is wrong with it
            rates.append(read_record(path).images_per_second)
    return rates


def megabytes(images: str, attempt: int) -> int:
    """Return the memory for training on the file `images`."""
    return attempt * math.ceil(PROCESS_MB + DATA_COPIES * Path(images).stat().st_size / 1e6)
