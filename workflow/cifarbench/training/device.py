"""The device that trains: which one, its random state, its memory and its clock.

Knows a GPU through PyTorch's accelerator interface, so NVIDIA's and AMD's (`cuda`), Apple's (`mps`) and
Intel's (`xpu`). Only processors were tried yet: what is here for GPUs rests on
PyTorch's documentation and on tests with stand-ins.
"""

import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.machine import processor
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
    if device.type != "cpu":
        torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nobody reads it
    if device.type == "cuda":
        # As PyTorch's notes on reproducibility ask.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = not config.deterministic


def choose_device(wanted: str) -> torch.device:
    """Return the device. Raise UserError if a GPU is wanted that is not there."""
    gpu = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if wanted in ("auto", "cpu"):
        return gpu if gpu and wanted == "auto" else torch.device("cpu")
    if gpu is None or gpu.type != wanted:
        seen = f"only {gpu.type!r}" if gpu else "no GPU"
        raise UserError(f"device: {wanted!r} is not allowed: PyTorch sees {seen} here; use cpu or auto")
    return gpu


def device_name(device: torch.device) -> str:
    if device.type == "cpu":
        return processor()
    ask = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(ask(device)) if ask else f"{_chip()} ({device.type})"


def _chip() -> str:
    """Return the name of an Apple chip, whose GPU has none of its own."""
    if platform.system() != "Darwin":
        return processor()
    asked = subprocess.run(
        ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() or processor()


def random_state(device: torch.device) -> dict[str, Any]:
    """Return the states of the default generators, which dropout draws from, by device type."""
    states = {"cpu": torch.get_rng_state()}
    if device.type != "cpu":
        states[device.type] = torch.get_device_module(device).get_rng_state()
    return states


def set_random_state(states: dict[str, Any]) -> None:
    for device, state in states.items():
        module = torch if device == "cpu" else torch.get_device_module(device)
        module.set_rng_state(state.cpu())


def running_sum(device: torch.device) -> torch.Tensor:
    """Return a zero to add losses to, float64 where the device has it; Apple's GPUs have not."""
    return torch.zeros((), device=device, dtype=torch.float32 if device.type == "mps" else torch.float64)


def first_line(error: Exception) -> str:
    """Return what PyTorch says first; more than that is advice for its own developers."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether memory has run out; PyTorch has a class of its own for it on a GPU, none on a CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


@contextmanager
def naming_the_batch_size(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Turn running out of memory into the line that says what to change."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"batch_size: {config.batch_size} is too much for model {config.model!r} in the memory of this "
            f"{device.type}; choose a smaller one"
        ) from None


def _counts_memory(device: torch.device) -> bool:
    """Tell whether PyTorch keeps the peak of this device's memory, as of NVIDIA's and Intel's GPUs."""
    return device.type not in ("cpu", "mps") and hasattr(
        torch.get_device_module(device), "max_memory_allocated"
    )


def reset_peak_memory(device: torch.device) -> None:
    """Forget what an earlier run in this process used. On Linux alone; elsewhere its peak stays in."""
    if _counts_memory(device):
        if torch.get_device_module(device).is_initialized():
            torch.get_device_module(device).reset_peak_memory_stats(device)
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory that was in use: the device's, or on a CPU the process's."""
    if _counts_memory(device):
        return int(torch.get_device_module(device).max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        torch.get_device_module(device).synchronize()
