"""A step of training as a CUDA graph: recorded once, then launched at once instead of kernel by kernel.

On a GPU a small network with small batches waits for the launches, hundreds in a step. Source:
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import logging
import warnings
from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Generator, Tensor

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.training.device import first_line, is_out_of_memory
from cifarbench.training.optimizers import OPTIMIZERS, Optimizers, state_tensors
from cifarbench.training.torch_internals import out_of_recording

log = logging.getLogger(__name__)


def to_be_recorded(config: TrainConfig, device: torch.device) -> bool:
    """Tell whether steps are to be recorded, as far as config and device say."""
    wanted = device.type == "cuda" and config.cuda_graph is not False
    # Keras' epsilon changes at each step, and would be frozen.
    return wanted and OPTIMIZERS[config.optimizer].recordable and config.eps_beside == "corrected"


def leave_default_stream(device: torch.device) -> None:
    """Do what follows in a stream that can be recorded, which a GPU's default stream cannot."""
    if device.type == "cuda" and torch.cuda.current_stream() == torch.cuda.default_stream():
        torch.cuda.set_stream(torch.cuda.Stream())


def record_step(
    config: TrainConfig,
    compute: Callable[[Tensor], None],
    positions: Tensor,
    optimizers: Optimizers,
    streams: Mapping[str, Generator],
) -> "RecordedStep | None":
    """Record a step; return None where that cannot be done, which `cuda_graph: true` takes as an error."""
    try:
        return RecordedStep(compute, positions, optimizers, streams.values())
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        if config.cuda_graph is True:
            raise UserError(
                "cuda_graph: True is not allowed: a step of this model cannot be recorded "
                f"({first_line(error)}); set cuda_graph to auto"
            ) from error
        log.warning("a step cannot be recorded (%s); each is launched kernel by kernel", first_line(error))
        out_of_recording(positions.device, streams.values())
        return None


class RecordedStep:
    """`compute`, recorded; called with the positions of a batch of the same size, it does the same to them.

    A graph reads and writes the addresses that it was recorded with. So the positions, the learning rates
    and what the optimizers keep have tensors of their own here, filled before a launch.
    """

    def __init__(
        self,
        compute: Callable[[Tensor], None],
        positions: Tensor,
        optimizers: Optimizers,
        generators: Iterable[Generator],
    ) -> None:
        """Take a step, then record one. Raise RuntimeError where either fails."""
        self.optimizers, self.positions = optimizers, positions.clone()
        self.rates = [torch.tensor(group["lr"], device=positions.device) for group in optimizers.groups]
        self.graph = torch.cuda.CUDAGraph()
        with warnings.catch_warnings(action="ignore"):  # newer PyTorch needs no telling, and says so
            for generator in generators:
                self.graph.register_generator_state(generator)
        numbers = [group["lr"] for group in optimizers.groups]
        self._set_rates(self.rates)
        try:
            compute(self.positions)  # so that nothing is done for the first time while recording
            self.kept = state_tensors(optimizers)
            optimizers.zero_grad()
            with torch.cuda.graph(self.graph, stream=torch.cuda.current_stream()):
                compute(self.positions)
        finally:
            self._set_rates(numbers)
        self.in_place = False

    def _set_rates(self, rates: Iterable[float | Tensor]) -> None:
        for group, rate in zip(self.optimizers.groups, rates, strict=True):
            group["lr"] = rate

    def ready(self) -> bool:
        """Put what the optimizers keep where the graph has it; False as long as they have not begun.

        They begin with a step that is launched, so that their state starts as they themselves make it.
        """
        if not self.in_place:
            found = state_tensors(self.optimizers)
            self.in_place = all(now.keys() == then.keys() for now, then in zip(found, self.kept, strict=True))
            if self.in_place:
                self._take(found)
        return self.in_place

    def _take(self, found: list[dict[Tensor, dict[str, Tensor]]]) -> None:
        for part, now, then in zip(self.optimizers.parts, found, self.kept, strict=True):
            for parameter, tensors in now.items():
                for name, tensor in tensors.items():
                    then[parameter][name].copy_(tensor)
                part.state[parameter].update(then[parameter])

    def __call__(self, positions: Tensor) -> None:
        self.positions.copy_(positions)
        for rate, group in zip(self.rates, self.optimizers.groups, strict=True):
            rate.fill_(group["lr"])
        self.graph.replay()
