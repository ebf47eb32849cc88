"""How large a model is: parameters, floating-point operations, layers."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cifarbench.config.benchmark import SIDE


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return (all parameters with BatchNorm's running mean and variance, the trainable ones)."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    running = sum(b.numel() for name, b in model.named_buffers() if "num_batches" not in name)
    return sum(p.numel() for p in model.parameters()) + running, trainable


def count_flops(model: nn.Module, side: int = SIDE) -> int:
    """Count floating-point operations of the forward pass on one image; a multiply-add is two."""
    training = model.training
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(1, 3, side, side))
    model.train(training)
    return counter.get_total_flops()


def layer_table(model: nn.Module, side: int = SIDE) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Return (name, layer, output shape without the batch, parameters) of each layer, in order of use."""
    rows: list[tuple[str, str, tuple[int, ...], int]] = []

    def note(name: str, module: nn.Module) -> Any:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            rows.append((name, repr(module), tuple(output.shape[1:]), count_parameters(module)[0]))

        return module.register_forward_hook(hook)

    leaves = [(name, m) for name, m in model.named_modules() if name and not list(m.children())]
    handles = [note(name, module) for name, module in leaves]
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, side, side))
    for handle in handles:
        handle.remove()
    return rows
