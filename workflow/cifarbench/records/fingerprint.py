"""What tells whether two trainings behave alike: the hash of their sources, and their fingerprints.

The hash of the sources changes with every comment, so that equal ones prove the same and others nothing; what
differs then is told by the fingerprints. No torch here.
"""

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path

from cifarbench.records.record import Fingerprint

PACKAGE = Path(__file__).parents[1]
# All of it, so that a new file counts, but for what cannot change what comes out of a training.
DECISIVE = (
    "config/knobs.py",
    "config/choices.py",
    "data/loading.py",
    "data/splits.py",
    "models/*.py",
    "training/*.py",
)
INDIFFERENT = (
    *("models/catalogue.py", "models/listing.py", "models/libraries.py", "models/measure.py"),
    "models/sources.py",
    *("training/environment.py", "training/lease.py", "training/pack.py", "training/saving.py"),
)
# Of two figures of a fingerprint, relative. Rounding reaches 2e-12 on the models here; a slip of 0.2 % in the
# weight decay makes 6e-9, and every other in tests/helpers/behaviour.py more.
TOLERANCE = 1e-10
DIGITS = 6  # of a fingerprint's figures that `behaviour` keeps


def training_sources() -> list[Path]:
    """Return the files that decide what a training produces, beside the model's own."""
    indifferent = {PACKAGE / name for name in INDIFFERENT}
    return sorted({path for pattern in DECISIVE for path in PACKAGE.glob(pattern)} - indifferent)


def training_source_hash() -> str:
    """Hash the names and contents of the sources that decide training."""
    digest = hashlib.sha256()
    for path in training_sources():
        name = path.relative_to(PACKAGE).as_posix()
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def figures(fingerprint: Fingerprint) -> Iterator[tuple[str, float | None]]:
    """Yield each figure of a fingerprint with its place in words, in the order in which they arise."""
    for step, (loss, norm) in enumerate(zip(fingerprint.losses, fingerprint.update_norms, strict=True), 1):
        yield f"loss of step {step}", loss
        yield f"update of step {step}", norm
    yield f"test loss after step {len(fingerprint.losses)}", fingerprint.final_loss
    parts = len(fingerprint.learning_rates)
    for part, rate in enumerate(fingerprint.learning_rates, 1):
        yield f"learning rate in part {part} of {parts}", rate


def first_difference(recorded: Fingerprint, replayed: Fingerprint) -> str | None:
    """Say where two fingerprints of one configuration differ first by more than rounding; None if nowhere."""
    for (place, before), (_, after) in zip(figures(recorded), figures(replayed), strict=True):
        if not alike(before, after):
            return f"{place}: {after} instead of {before}"
    return None


def alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=TOLERANCE)


def behaviour(fingerprint: Fingerprint) -> str:
    """Return a text that is the same for fingerprints that are alike, but for one in many thousand."""
    return " ".join("-" if value is None else f"{value:.{DIGITS}g}" for _, value in figures(fingerprint))
