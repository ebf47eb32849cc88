"""The sources that decide what a training produces; every record carries their hash. No torch here."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Beside the model's own file.
TRAINING_SOURCES = (
    "config/choices.py",
    "config/knobs.py",
    "data/loading.py",
    "data/splits.py",
    "models/build.py",
    "models/layers.py",
    "models/own.py",
    "training/augment.py",
    "training/checkpoint.py",
    "training/cuda_graph.py",
    "training/device.py",
    "training/engine.py",
    "training/evaluate.py",
    "training/losses.py",
    "training/optimizers.py",
    "training/progress.py",
    "training/random_streams.py",
    "training/schedules.py",
    "training/stopping.py",
    "training/torch_internals.py",
    "training/train.py",
    "training/trial.py",
)


def training_source_hash() -> str:
    """Hash the names and contents of the sources that decide training, but for the model's own file."""
    digest = hashlib.sha256()
    for name in TRAINING_SOURCES:
        digest.update(name.encode() + b"\0" + (PACKAGE / name).read_bytes() + b"\0")
    return digest.hexdigest()
