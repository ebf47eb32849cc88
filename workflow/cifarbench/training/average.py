"""A running average of the weights, which is what is tested and kept where `ema_decay` asks for it."""

import copy

import torch
from torch import Tensor, nn


class Average:
    """A copy of a model that follows it: each step it keeps `decay` of itself and takes the rest from it.

    Counts of batches, which are no averages, are taken over. Polyak and Juditsky, 1992; as in timm.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model, self.decay = copy.deepcopy(model), decay
        self.model.requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        for ours, theirs in zip(tensors(self.model), tensors(model), strict=True):
            if ours.is_floating_point():
                ours.lerp_(theirs, 1 - self.decay)
            else:
                ours.copy_(theirs)


def tensors(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]
