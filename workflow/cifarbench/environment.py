"""Facts about the machine and the code, for the record."""

import hashlib
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

import torch

from . import __version__
from .files import sha256_of
from .record import Code, Environment

PACKAGE = Path(__file__).parent
# The sources that decide what a training produces, beside the model's own file.
TRAINING_SOURCES = (
    "augment.py",
    "checkpoint.py",
    "knobs.py",
    "data.py",
    "engine.py",
    "evaluate.py",
    "models/__init__.py",
    "optimisation.py",
    "splits.py",
    "train.py",
    "trial.py",
)


def describe_environment(device: torch.device) -> Environment:
    return Environment(
        device=device.type,
        device_name=device_name(device),
        driver=_nvidia_driver() if device.type == "cuda" else None,
        cuda=torch.version.cuda if device.type == "cuda" else None,
        threads=torch.get_num_threads(),
        platform=platform.platform(),
        python=platform.python_version(),
        versions={name: version(name) for name in ("torch", "numpy", "safetensors", "pydantic")},
    )


def describe_code(model_file: Path) -> Code:
    commit, dirty = _git_state()
    return Code(
        version=__version__,
        commit=commit,
        dirty=dirty,
        source_sha256=training_source_hash(),
        model_sha256=sha256_of(model_file),
    )


def training_source_hash() -> str:
    """Hash the names and contents of the sources that decide training, but for the model's own file."""
    digest = hashlib.sha256()
    for name in TRAINING_SOURCES:
        digest.update(name.encode() + b"\0" + (PACKAGE / name).read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def _git_state() -> tuple[str | None, bool | None]:
    """Return (commit, whether files of the package differ from it); None where there is no git."""
    git = ["git", "-C", str(PACKAGE)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return commit.stdout.strip(), bool(changes.stdout.strip())


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()


def _processor() -> str:
    """Return the processor's name, which Linux tells only in /proc/cpuinfo."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _nvidia_driver() -> str | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
