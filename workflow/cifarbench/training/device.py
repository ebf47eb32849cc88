"""The device that trains: which one, its memory and its clock."""

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.training.torch_internals import keep_compiler_out

CLEAR_REFS = Path("/proc/self/clear_refs")


def prepare_torch(config: TrainConfig, device: torch.device, threads: int) -> None:
    """Set what holds for the whole process. Must be called before anything runs on the device."""
    torch.set_num_threads(threads)
    reset_peak_memory(device)
    if config.compile and device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is None:
        raise UserError(
            "compile: True is not allowed: it needs the C++ compiler g++ here; install it, or remove compile"
        )
    if not config.compile:
        keep_compiler_out()
    if device.type == "cuda":
        # As PyTorch's notes on reproducibility ask.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not config.deterministic
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nobody reads it


def choose_device(wanted: str) -> torch.device:
    """Return the device. Raise UserError if a GPU is wanted and none is there."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UserError("device: 'cuda' is not allowed: PyTorch sees no GPU here; use cpu or auto")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


@contextmanager
def naming_the_batch_size(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Turn running out of memory into the line that says what to change."""
    try:
        yield
    except RuntimeError as error:  # PyTorch has a class of its own for this on a GPU, none on a CPU
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            f"batch_size: {config.batch_size} is too much for model {config.model!r} in the memory of this "
            f"{device.type}; choose a smaller one"
        ) from None


def reset_peak_memory(device: torch.device) -> None:
    """Forget what an earlier run in this process used. On Linux alone; elsewhere its peak stays in."""
    if device.type == "cuda":
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory that was in use: the device's, or on a CPU the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
