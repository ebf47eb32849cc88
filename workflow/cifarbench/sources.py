"""The sources that decide what a training produces; every record carries their hash. No torch here."""

import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
# Beside the model's own file.
TRAINING_SOURCES = (
    "augment.py",
    "checkpoint.py",
    "cuda_graph.py",
    "knobs.py",
    "data.py",
    "engine.py",
    "evaluate.py",
    "models/__init__.py",
    "optimisation.py",
    "splits.py",
    "train.py",
    "trial.py",
)


def training_source_hash() -> str:
    """Hash the names and contents of the sources that decide training, but for the model's own file."""
    digest = hashlib.sha256()
    for name in TRAINING_SOURCES:
        digest.update(name.encode() + b"\0" + (PACKAGE / name).read_bytes() + b"\0")
    return digest.hexdigest()
