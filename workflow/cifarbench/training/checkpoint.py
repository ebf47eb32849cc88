"""Save a training so that it goes on after an interruption, to the bit.

The checkpoint lies beside the outputs of a run but is none of them, because Snakemake removes the outputs
of a job that was killed. It is written whole or not at all, begins with a checksum of the rest, and is read
without running any pickled code.
"""

import hashlib
import io
import logging
import pickle
import time
from pathlib import Path
from typing import Any

import torch

from cifarbench.errors import UserError
from cifarbench.files import atomic
from cifarbench.records.folder import CHECKPOINT

# What reading a broken or foreign file may raise, here and in torch.load.
UNREADABLE = (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError)

DIGEST_BYTES = hashlib.sha256().digest_size
CHECKPOINT_FORMAT = "2"  # to be raised when what a checkpoint holds means something else

log = logging.getLogger(__name__)

State = dict[str, Any]


def seal(content: bytes) -> bytes:
    """Put a checksum before what is to be written."""
    return hashlib.sha256(content).digest() + content


def unseal(content: bytes) -> bytes:
    """Return what was sealed. Raise ValueError where it is not, to the bit."""
    checksum, rest = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(rest).digest() != checksum:
        raise ValueError("its checksum is wrong")
    return rest


class Checkpoint:
    """The checkpoint of one run. `identity` is what must be equal for a state to be this run's."""

    def __init__(self, folder: Path, identity: dict[str, str], every_seconds: float) -> None:
        self.path = folder / CHECKPOINT
        self.identity, self.every_seconds = identity, every_seconds
        self.saved_at = time.monotonic()
        self.stop_asked = False

    @property
    def due(self) -> bool:
        return self.stop_asked or time.monotonic() - self.saved_at >= self.every_seconds

    def save(self, state: State) -> None:
        """Save. When there is no room, only a training that was asked to stop ends; others go on unsaved."""
        content = io.BytesIO()  # since torch.save itself does not tell why a file cannot be written
        torch.save({"identity": self.identity, **state}, content)
        try:
            with atomic(self.path) as temporary:
                temporary.write_bytes(seal(content.getvalue()))
        except UserError as error:
            if self.stop_asked:
                raise
            log.warning("%s; training goes on", error)
        self.saved_at = time.monotonic()

    def load(self, device: torch.device) -> State | None:
        """Return the saved state; None without one. One that is broken or another run's is set aside."""
        if not self.path.exists():
            return None
        try:
            content = io.BytesIO(unseal(self.path.read_bytes()))
            state: State = torch.load(content, map_location=device, weights_only=True)
            differs = [k for k, v in self.identity.items() if state["identity"].get(k) != v]
        except (*UNREADABLE, pickle.UnpicklingError) as error:
            self._set_aside(f"cannot be read ({str(error).splitlines()[0] if str(error) else error!r})")
            return None
        if differs:
            self._set_aside(f"has another {' and '.join(differs)}")
            return None
        return state

    def _set_aside(self, why: str) -> None:
        aside = self.path.with_name(f"{CHECKPOINT}.set-aside")
        self.path.replace(aside)
        log.warning("checkpoint %s %s; it is now %s, and training starts over", self.path, why, aside.name)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def ask_to_stop(self) -> None:
        """Note that the training is to save itself and stop."""
        self.stop_asked = True
