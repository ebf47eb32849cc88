"""A step of training as a CUDA graph: recorded once, then launched at once instead of kernel by kernel.

On a GPU a small network with small batches waits for the launches, hundreds in a step. Source:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import warnings
from collections.abc import Callable

import torch
from torch import Generator, Tensor, optim

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError


def can_be_recorded(config: TrainConfig, device: torch.device) -> bool:
    """Tell whether steps are to be recorded. PyTorch's Adagrad computes with numbers that it would freeze."""
    return device.type == "cuda" and config.cuda_graph and config.optimizer != "adagrad"


def leave_default_stream(device: torch.device) -> None:
    """Do what follows in a stream that can be recorded, which a GPU's default stream cannot."""
    if device.type == "cuda" and torch.cuda.current_stream() == torch.cuda.default_stream():
        torch.cuda.set_stream(torch.cuda.Stream())


class RecordedStep:
    """`compute`, recorded; called with the positions of a batch of the same size, it does the same to them.

    A graph reads and writes the addresses that it was recorded with. So the positions and the learning rate
    have tensors of their own here, filled before each launch.
    """

    def __init__(
        self,
        compute: Callable[[Tensor], None],
        positions: Tensor,
        optimizer: optim.Optimizer,
        generators: dict[str, Generator],
    ) -> None:
        """Take a step, then record one. Raise UserError if the model cannot be recorded."""
        (self.settings,) = optimizer.param_groups
        self.positions = positions.clone()
        self.learning_rate = torch.tensor(self.settings["lr"], device=positions.device)
        self.graph = torch.cuda.CUDAGraph()
        with warnings.catch_warnings(action="ignore"):  # newer PyTorch needs no telling, and says so
            for generator in generators.values():
                self.graph.register_generator_state(generator)
        number, self.settings["lr"] = self.settings["lr"], self.learning_rate
        try:
            compute(self.positions)  # so that nothing is done for the first time while recording
            optimizer.zero_grad()
            self._record(compute)
        finally:
            self.settings["lr"] = number

    def _record(self, compute: Callable[[Tensor], None]) -> None:
        try:
            with torch.cuda.graph(self.graph, stream=torch.cuda.current_stream()):
                compute(self.positions)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise UserError(
                "cuda_graph: True is not allowed: a step of this model cannot be recorded "
                f"({str(error).splitlines()[0]}); set cuda_graph to false"
            ) from error

    def __call__(self, positions: Tensor) -> None:
        self.positions.copy_(positions)
        self.learning_rate.fill_(self.settings["lr"])
        self.graph.replay()
