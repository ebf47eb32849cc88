"""What a job asks a cluster for, estimated from its runs and their data; without torch.

A job that takes more than it asked for is stopped, and a training that was stopped goes on from its
checkpoint. So each attempt asks for more than the one before, and an estimate that is too low costs a
second wait in the queue, but no work.
"""

import json
import math
from collections.abc import Iterable
from pathlib import Path

from .knobs import TrainConfig

START_MINUTES = 10  # imports from a slow drive, set-up, the last evaluation
# Low on purpose: a GPU of the last years does several times that, and so does a thread with a small model.
IMAGES_PER_SECOND = {"auto": 1000, "cuda": 1000, "cpu": 100}
PROCESS_MB = 4000  # LeNet-5 takes 1,000 on a processor; the rest is for CUDA, or a larger model's activations
DATA_COPIES = 4  # of the file of images, in which a pixel is a byte


def minutes(configs: Iterable[TrainConfig], manifest: str, attempt: int) -> int:
    """Return the time for training `configs`, one after another, on the data of `manifest`."""
    images = sum(json.loads(Path(manifest).read_text(encoding="utf-8"))["train_images"])
    seconds = sum(config.epochs * images / IMAGES_PER_SECOND[config.device] for config in configs)
    return attempt * math.ceil(START_MINUTES + seconds / 60)


def megabytes(images: str, attempt: int) -> int:
    """Return the memory for training on the file `images`."""
    return attempt * math.ceil(PROCESS_MB + DATA_COPIES * Path(images).stat().st_size / 1e6)
