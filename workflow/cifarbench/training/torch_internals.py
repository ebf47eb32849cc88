"""What reaches into PyTorch's insides."""

import inspect
from collections.abc import Callable

import torch
from torch import optim
from torch.utils import flop_counter


def keep_compiler_out() -> None:
    """Spare each process the import of PyTorch's compiler, more than a second, which nothing here uses.

    Optimizers and the counter of FLOPs ask for it only to have themselves left alone by it; a function
    that carries the mark `__dynamo_disable` is taken to be done.
    """
    for owner in (torch.optim.Optimizer, getattr(flop_counter, "_FlopCounterMode", object)):
        for function in vars(owner).values():
            wrapped = getattr(function, "__wrapped__", None)
            if wrapped is not None:
                wrapped.__dynamo_disable = wrapped


def plain_step(optimizer: optim.Optimizer) -> Callable[[], None]:
    """Return the optimizer's step without its wrappers, which import PyTorch's compiler and record profiles.

    The import takes longer than many a training here. Schedules warn when the wrapped step is not called,
    so they are told that it was.
    """
    step = inspect.unwrap(type(optimizer).step)
    setattr(optimizer, "_opt_called", True)  # noqa: B010  # not declared, so no plain assignment

    def take() -> None:
        with torch.no_grad():
            step(optimizer)

    return take
