"""All that reaches into PyTorch's insides, tried with PyTorch 2.15.

Each trick saves time only. Where the inside that it reaches for has changed, it does nothing, training runs
as PyTorch does it, and the log says so once; tests/training/test_torch_internals.py then fails.
"""

import inspect
import logging
from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch import optim
from torch.utils import flop_counter

log = logging.getLogger(__name__)


@cache
def say_once(trick: str) -> None:
    log.warning("PyTorch %s has changed inside; without %s", torch.__version__, trick)


def keep_compiler_out() -> None:
    """Spare each process the import of PyTorch's compiler, more than a second, which nothing here uses.

    Optimizers and the counter of FLOPs ask for it only to have themselves left alone by it; a function
    that carries the mark `__dynamo_disable` is taken to be done.
    """
    for owner in (optim.Optimizer, getattr(flop_counter, "_FlopCounterMode", object)):
        wrapped = [
            vars(f)["__wrapped__"]
            for f in vars(owner).values()
            if "__wrapped__" in getattr(f, "__dict__", {})
        ]
        if not wrapped:
            say_once("keeping its compiler out, so starting takes a second longer")
        for function in wrapped:
            function.__dynamo_disable = function


def plain_step(optimizer: optim.Optimizer) -> Callable[[], object]:
    """Return the optimizer's step without its wrappers, which import PyTorch's compiler and record profiles.

    The import takes longer than many a training here.
    """
    wrapped = type(optimizer).step
    step = inspect.unwrap(wrapped)
    if step is wrapped or list(inspect.signature(step).parameters) != ["self", "closure"]:
        say_once("the optimizer's plain step")
        return optimizer.step

    def take() -> None:
        with torch.no_grad():
            step(optimizer)

    return take


def standard_gamma(concentration: torch.Tensor, stream: torch.Generator) -> torch.Tensor:
    """Draw from the gamma distribution; PyTorch's public way takes no generator.

    Without the inside, exponential draws serve, which is the distribution for a concentration of 1 alone.
    """
    draw = getattr(torch, "_standard_gamma", None)
    if draw is None:
        say_once("the gamma distribution: mixup and cutmix draw as for an alpha of 1")
        return torch.empty_like(concentration).exponential_(generator=stream)
    return draw(concentration, generator=stream)


def out_of_recording(device: torch.device, streams: Iterable[torch.Generator]) -> None:
    """Free a GPU's generators from a recording that failed, which leaves them waiting for its end.

    The copy of a generator's state does not wait. Tried on no GPU yet.
    """
    if device.type == "cuda":
        for stream in (*streams, torch.cuda.default_generators[device.index or 0]):
            stream.graphsafe_set_state(stream.clone_state())
