"""The test images that a run got wrong with most confidence."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

from cifarbench.data.loading import read_parts
from cifarbench.data.manifest import MANIFEST, read_manifest
from cifarbench.data.readers.source import Images
from cifarbench.records.folder import PREDICTIONS
from cifarbench.records.record import Record

MOST = 12


class Mistake(NamedTuple):
    """A test image (3, H, W) uint8, what it is, and what the run took it for."""

    image: Images
    truth: str
    answer: str


def mistakes(record: Record, folder: Path, data_folder: Path) -> list[Mistake]:
    """Return a run's worst mistakes; none if its predictions or the images it was trained on are not here."""
    path = folder / PREDICTIONS
    if not path.exists() or not (data_folder / MANIFEST).exists():
        return []
    manifest = read_manifest(data_folder)
    if manifest.images_sha256 != record.data.images_sha256:
        return []
    saved = load_file(path)
    wrong = np.flatnonzero(saved["label"] != saved["predicted"])
    chosen = wrong[np.argsort(-saved["probability"][wrong], kind="stable")][:MOST]
    images = read_parts(data_folder, manifest)["test"][0].numpy()
    names = record.data.classes
    return [
        Mistake(images[i], names[saved["label"][i]], names[saved["predicted"][i]]) for i in chosen.tolist()
    ]
