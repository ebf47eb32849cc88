"""Muon: momentum, made orthogonal (Jordan et al., 2024, https://kellerjordan.github.io/posts/muon/)."""

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal

import torch
from torch import Tensor, optim

COEFFICIENTS, STEPS = (3.4445, -4.7750, 2.0315), 5  # of the iteration, as there and in PyTorch


class Muon(optim.Optimizer):
    """torch.optim.Muon, for filters of convolutions too: each is a row.

    PyTorch's own takes matrices alone, rounds all to bfloat16, even what is replayed in float64, and reads
    the learning rate back, which a CUDA graph cannot. With `norm` fixed each weight has the length of the
    root of its rows before a step, as in airbench (Jordan, 2024).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.001,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        norm: Literal["free", "fixed"] = "free",
    ) -> None:
        own = {"momentum": momentum, "nesterov": nesterov, "norm": norm}
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **own})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None:
                    self.move(weights, group)

    def move(self, weights: Tensor, group: dict[str, Any]) -> None:
        if "momentum_buffer" not in self.state[weights]:
            self.state[weights]["momentum_buffer"] = torch.zeros_like(weights)
        gradient, average = weights.grad, self.state[weights]["momentum_buffer"]
        assert gradient is not None
        average.lerp_(gradient, 1 - group["momentum"])
        update = gradient.lerp(average, group["momentum"]) if group["nesterov"] else average
        matrix = update.flatten(1)
        rows, columns = matrix.shape
        if group["norm"] == "fixed":
            weights.mul_(math.sqrt(rows) / weights.norm())
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        # A GPU is fast at bfloat16, which is exact enough; many a processor is slow at it.
        low = matrix.bfloat16() if matrix.device.type == "cuda" else matrix
        direction = orthogonal(low).to(weights.dtype).view_as(weights)
        weights.sub_(direction * (group["lr"] * math.sqrt(max(1, rows / columns))))


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix with orthonormal rows or columns, its singular values near 1."""
    a, b, c = COEFFICIENTS
    found = matrix.T if len(matrix) > matrix.shape[1] else matrix
    found = found / found.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = found @ found.T
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.T if len(matrix) > matrix.shape[1] else found
