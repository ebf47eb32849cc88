"""Who is told how a training goes: trackers and the progress bar. They change nothing of what it produces."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.records.record import Epoch, Record
from cifarbench.training.progress import Progress

log = logging.getLogger(__name__)


class Listener(Protocol):
    """Called from the training's own thread, between epochs, when no time is taken."""

    name: str

    def started(self, config: TrainConfig, model: nn.Module, progress: Progress, images: int) -> None:
        """Hear of a training about to begin or to go on; `progress` moves, `images` are those of an epoch."""

    def epoch_ended(self, epoch: Epoch, images: int) -> None: ...

    def ended(self, record: Record, folder: Path, data_folder: Path) -> None:
        """Hear that all is written into `folder`."""

    def closed(self) -> None:
        """Hear that nothing more comes, also of a training that was stopped or failed."""


class Listeners:
    """Passes on what happens. One that fails hears no more, and the training goes on."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.heard = list(listeners)

    def tell(self, what: str, *facts: Any) -> None:
        for listener in list(self.heard):
            try:
                getattr(listener, what)(*facts)
            except Exception as error:  # of a library that is no part of the training
                self.heard.remove(listener)
                log.warning("%s: %s; the training goes on without it", listener.name, error)

    @contextmanager
    def listening(
        self, config: TrainConfig, model: nn.Module, progress: Progress, images: int
    ) -> Iterator[None]:
        """Tell of the start, and of the end however it comes."""
        try:
            self.tell("started", config, model, progress, images)
            yield
        finally:
            self.tell("closed")

    @property
    def trackers(self) -> list[str]:
        return [listener.name for listener in self.heard if getattr(listener, "is_tracker", False)]
