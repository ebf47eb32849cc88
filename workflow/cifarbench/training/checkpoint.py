"""Save a training so that it goes on after an interruption, to the bit, and stop it when asked.

The checkpoint lies beside the outputs of a run but is none of them, because Snakemake removes the outputs
of a job that was killed. It is written whole or not at all, and read without running any pickled code.
"""

import io
import logging
import pickle
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from cifarbench.errors import UserError
from cifarbench.files import atomic
from cifarbench.records.folder import CHECKPOINT

# Ctrl-C, the end of a job, and what schedulers send before it.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

# What reading a broken or foreign file may raise, here and in torch.load.
UNREADABLE = (OSError, RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError)

log = logging.getLogger(__name__)

State = dict[str, Any]


class Interrupted(Exception):
    """The training was asked to stop and has saved itself; the same command goes on with it."""


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
                temporary.write_bytes(content.getbuffer())
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
            state: State = torch.load(self.path, map_location=device, weights_only=True)
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
        """Remove the checkpoint, and what a process that was killed while it saved has left."""
        for path in (self.path, *self.path.parent.glob(f".{CHECKPOINT}.*.part")):
            path.unlink(missing_ok=True)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Note a stop signal instead of dying of it, so that the training can save itself first."""

        def note(_signal: int, _frame: FrameType | None) -> None:
            self.stop_asked = True

        before = {number: signal.signal(number, note) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
