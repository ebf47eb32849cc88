"""This machine, as Snakemake must know it before any job starts; without torch."""

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any


def prefer_this_python() -> None:
    """Let `python -m cifarbench` in a job mean this interpreter and this package, installed or not."""
    package = str(Path(__file__).parents[1])
    for name, first in (("PATH", str(Path(sys.executable).parent)), ("PYTHONPATH", package)):
        others = os.environ.get(name)
        os.environ[name] = os.pathsep.join([first, others] if others else [first])


def has_nvidia_gpu() -> bool:
    return Path("/dev/nvidia0").exists()


@cache
def processor() -> str:
    """Return the processor's name, which Linux tells only in /proc/cpuinfo."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def device_name_for(device: str) -> str:
    """Return the name of what a run that asks for `device` would be trained on here, as records give it."""
    gpus = [] if device == "cpu" else gpu_names()
    return gpus[0] if gpus else processor()


@cache
def gpu_names() -> list[str]:
    """Return the names of this machine's NVIDIA GPUs; none without a driver."""
    import pynvml

    return [str(pynvml.nvmlDeviceGetName(handle)) for handle in gpu_handles()]


def gpu_handles() -> list[Any]:
    """Return the driver's handles of this machine's NVIDIA GPUs, in its order; none without a driver."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    return [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
