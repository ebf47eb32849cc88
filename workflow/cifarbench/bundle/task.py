"""What a bundle is to do, `task.json` in it: data sets, and runs in the order in which they are trained."""

import argparse
import math
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from cifarbench.config.benchmark import ReadOptions
from cifarbench.config.ids import PLACES
from cifarbench.config.knobs import TrainConfig

TASK = "task.json"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Images(_Part):
    """How a data set is read, and the hash that its images then have."""

    format: str
    sha256: str | None
    options: ReadOptions
    images_sha256: str


class Training(_Part):
    """A run: the knobs that differ from their defaults, checked already, and the file of an own model.

    Files lie in the bundle.
    """

    knobs: dict[str, Any]
    model_file: str | None

    @property
    def config(self) -> TrainConfig:
        return TrainConfig(**self.knobs)

    def placed(self, unpacked: Path) -> TrainConfig:
        """Return the configuration that names files where the bundle is unpacked."""
        files = {name: str(unpacked / self.knobs[name]) for name in PLACES if name in self.knobs}
        return self.config.model_copy(update=files)


class Task(_Part):
    title: str
    minutes: float | None
    datasets: dict[str, Images]
    runs: list[Training]


def positive(text: str) -> float:
    """Read a number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be a number above 0")
    return value
