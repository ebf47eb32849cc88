"""How far a training is."""

import logging
import math
from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from cifarbench.records.record import Epoch, Seconds
from cifarbench.training.checkpoint import State

log = logging.getLogger(__name__)

FIRST_STEPS = 10  # of a run, whose losses the record keeps


@dataclass
class Progress:
    """How far a training is: what a checkpoint holds beside weights, optimizer and random streams."""

    total_loss: Tensor  # () float64, over the images of the epoch under way
    correct: Tensor  # () int64, the same
    epochs: list[Epoch] = field(default_factory=list)
    first_totals: list[Tensor] = field(default_factory=list)  # total_loss after each of the first steps
    first_losses: list[float | None] = field(default_factory=list)  # of them, once the first epoch is over
    order: Tensor | None = None  # of the epoch under way
    position: int = 0  # images of it that are done
    steps: int = 0  # of the whole training
    epoch_seconds: float = 0.0
    kept_weights: dict[str, Tensor] = field(default_factory=dict)
    kept_epoch: int = 0
    best: float = -math.inf
    setup_seconds: float = 0.0
    trial_seconds: float = 0.0
    fingerprint_seconds: float = 0.0
    warmup_seconds: float = 0.0
    resumptions: int = 0

    @property
    def notes_first(self) -> bool:
        return not self.epochs and len(self.first_totals) < FIRST_STEPS

    def note_first(self) -> None:
        """Keep the sum of losses after one of the first steps, without waiting for its value."""
        if self.notes_first:
            self.first_totals.append(self.total_loss.clone())

    def read_first(self, batch_size: int, images: int) -> None:
        """Turn the sums after the first steps, on all images of an epoch in batches, into losses."""
        if self.first_totals:
            totals = [0.0, *torch.stack(self.first_totals).tolist()]
            of_steps = [after - before for before, after in pairwise(totals)]
            sizes = [min(batch_size, images - step * batch_size) for step in range(len(of_steps))]
            losses = [total / size for total, size in zip(of_steps, sizes, strict=True)]
            self.first_losses = [loss if math.isfinite(loss) else None for loss in losses]
            self.first_totals = []

    def state(self) -> State:
        return {**vars(self), "epochs": [epoch.model_dump() for epoch in self.epochs]}

    def load(self, state: State) -> None:
        """Become as `state` says; the sums keep their place in memory, which a recorded step writes to."""
        sums = {name: getattr(self, name).copy_(state[name]) for name in ("total_loss", "correct")}
        vars(self).update(state, **sums, epochs=[Epoch(**epoch) for epoch in state["epochs"]])

    def seconds(self) -> Seconds:
        train = math.fsum(epoch.train_seconds for epoch in self.epochs)
        evaluation = math.fsum(epoch.evaluation_seconds for epoch in self.epochs)
        parts = {
            "setup": self.setup_seconds,
            "trial": self.trial_seconds,
            "fingerprint": self.fingerprint_seconds,
            "warmup": self.warmup_seconds,
            "train": train,
            "evaluation": evaluation,
        }
        return Seconds(**parts, total=math.fsum(parts.values()))


def log_epoch(epoch: Epoch) -> None:
    def number(value: float | None) -> str:
        return "   -  " if value is None else f"{value:.4f}"

    log.info(
        "epoch %4d  lr %.6f  train loss %s acc %s  validation acc %s  test acc %s  %.2f s",
        epoch.epoch,
        epoch.learning_rate,
        number(epoch.running_train_loss),
        number(epoch.running_train_accuracy),
        number(epoch.validation_accuracy),
        number(epoch.test_accuracy),
        epoch.train_seconds,
    )
