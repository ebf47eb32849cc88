"""What a normalised data set says of itself, in `manifest.json` beside its images."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from cifarbench.files import read_model

IMAGES = "images.safetensors"
MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What a normalised data set holds. It has no time and no path, so the same data give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    format: str
    source_sha256: str
    images_sha256: str
    classes: list[str]
    train_images: list[int]
    """Images of each class."""
    test_images: list[int]
    test_was_drawn: bool
    """True if the source has no test set of its own."""
    mean: list[float]
    """Per channel, of the training images, as a fraction of 255."""
    std: list[float]


def read_manifest(folder: Path) -> Manifest:
    return read_model(Manifest, folder / MANIFEST, "cifarbench normalise")
