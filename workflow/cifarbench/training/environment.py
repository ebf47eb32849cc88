"""Facts about the machine and the code, for the record."""

import json
import platform
import subprocess
from functools import cache
from importlib.metadata import version

import torch

from cifarbench import __version__
from cifarbench.models.catalogue import ModelSource
from cifarbench.models.libraries import library_of
from cifarbench.models.sources import model_sha256
from cifarbench.records.fingerprint import PACKAGE, training_source_hash
from cifarbench.records.record import Code, Environment
from cifarbench.training.device import device_name

COMMIT = PACKAGE / "commit.json"
"""In a bundle, what `git_state` was where it was made."""


def describe_environment(device: torch.device, model: str) -> Environment:
    """Describe this machine; of the libraries that only some models come from, that of `model`."""
    library = library_of(model)
    packages = ("torch", "numpy", "safetensors", "pydantic", *([library] if library else []))
    return Environment(
        device=device.type,
        device_name=device_name(device),
        driver=_nvidia_driver() if device.type == "cuda" else None,
        cuda=torch.version.cuda if device.type == "cuda" else None,
        threads=torch.get_num_threads(),
        platform=platform.platform(),
        python=platform.python_version(),
        versions={name: version(name) for name in packages},
    )


def describe_code(source: ModelSource) -> Code:
    commit, dirty = git_state()
    return Code(
        version=__version__,
        commit=commit,
        dirty=dirty,
        source_sha256=training_source_hash(),
        model_sha256=model_sha256(source),
    )


@cache
def git_state() -> tuple[str | None, bool | None]:
    """Return (commit, whether files of the package differ from it); None where there is no git."""
    if COMMIT.exists():
        commit, dirty = json.loads(COMMIT.read_text())
        return commit, dirty
    # Of another user's checkout too, as in a container: its code is what runs here anyway.
    git = ["git", "-c", "safe.directory=*", "-C", str(PACKAGE)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        changes = subprocess.run(
            [*git, "status", "--porcelain", "--", "."], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None, None
    return commit.stdout.strip(), bool(changes.stdout.strip())


def _nvidia_driver() -> str | None:
    import pynvml

    try:
        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except pynvml.NVMLError:
        return None
