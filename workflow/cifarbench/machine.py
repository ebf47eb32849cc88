"""This machine, as Snakemake must know it before any job starts; without torch."""

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any


def prefer_this_python() -> None:
    """Let `python -m cifarbench` in a job mean this interpreter and this package, installed or not.

    Nothing in the working directory may pass for a module, as a `random.py` there would for Python's own.
    """
    package = str(Path(__file__).parents[1])
    for name, first in (("PATH", str(Path(sys.executable).parent)), ("PYTHONPATH", package)):
        # An empty part means the working directory.
        others = [part for part in os.environ.get(name, "").split(os.pathsep) if part]
        os.environ[name] = os.pathsep.join([first, *others])
    os.environ["PYTHONSAFEPATH"] = "1"


def has_nvidia_gpu(devices: Path = Path("/dev")) -> bool:
    """Tell by the files of devices, any of which a container may have; Windows' Linux has another one."""
    numbered = any(path.name.removeprefix("nvidia").isdecimal() for path in devices.glob("nvidia*"))
    return numbered or (devices / "dxg").exists()


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
    handles = gpu_handles()
    if not handles:
        return []
    import pynvml

    return [str(pynvml.nvmlDeviceGetName(handle)) for handle in handles]


def gpu_handles() -> list[Any]:
    """Return the driver's handles of this machine's NVIDIA GPUs, in its order; none without a driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    return [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
