"""How far a training is."""

import math
from dataclasses import dataclass, field

from torch import Tensor

from cifarbench.records.record import Epoch, Seconds
from cifarbench.training.checkpoint import State


@dataclass
class Progress:
    """How far a training is: what a checkpoint holds beside weights, optimizer and random streams."""

    total_loss: Tensor  # () float64, over the images of the epoch under way
    correct: Tensor  # () int64, the same
    epochs: list[Epoch] = field(default_factory=list)
    order: Tensor | None = None  # of the epoch under way
    position: int = 0  # images of it that are done
    epoch_seconds: float = 0.0
    kept_weights: dict[str, Tensor] = field(default_factory=dict)
    kept_epoch: int = 0
    best: float = -math.inf
    setup_seconds: float = 0.0
    trial_seconds: float = 0.0
    warmup_seconds: float = 0.0
    resumptions: int = 0

    def to_state(self) -> State:
        return {**vars(self), "epochs": [epoch.model_dump() for epoch in self.epochs]}

    @classmethod
    def from_state(cls, state: State) -> "Progress":
        progress = cls(**{**state, "epochs": [Epoch(**epoch) for epoch in state["epochs"]]})
        progress.resumptions += 1
        return progress

    def seconds(self) -> Seconds:
        train = math.fsum(epoch.train_seconds for epoch in self.epochs)
        evaluation = math.fsum(epoch.evaluation_seconds for epoch in self.epochs)
        parts = {
            "setup": self.setup_seconds,
            "trial": self.trial_seconds,
            "warmup": self.warmup_seconds,
            "train": train,
            "evaluation": evaluation,
        }
        return Seconds(**parts, total=math.fsum(parts.values()))
