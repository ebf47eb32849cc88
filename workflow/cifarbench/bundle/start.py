"""Start of a bundle, as its `__main__.py`; written so that Python 3.6 can say what it lacks."""

import signal
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PYTHON, TORCH = (3, 11), (2, 11)
STOPPED = 75  # EX_TEMPFAIL of sysexits.h: try again


def main() -> int:
    """Look at what is there, unpack the program into a folder that is removed at the end, and run it."""
    for number in (signal.SIGINT, signal.SIGTERM):  # until the training takes them over
        signal.signal(number, lambda *_: sys.exit(STOPPED))
    archive = Path(__file__).resolve().parent
    lacking = fault()
    if lacking:
        sys.stderr.write(f"{archive.name}: error: {lacking}\n")
        return 2
    import tempfile
    import zipfile

    with tempfile.TemporaryDirectory(prefix="cifarbench-") as folder:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder, [name for name in packed.namelist() if not name.startswith("images/")])
        sys.path.insert(0, f"{folder}/code")
        from cifarbench.bundle.away import main as train

        return train(sys.argv[1:], archive, Path(folder))


def fault() -> Any:
    """Say what this machine lacks; None if nothing."""
    if sys.version_info < PYTHON:
        return f"needs Python {shown(PYTHON)} or later; this is {shown(sys.version_info)}"
    for package in ("torch", "numpy"):
        if find_spec(package) is None:
            return f"needs PyTorch and NumPy; {package} is not installed for {sys.executable}"
    import torch

    version = str(torch.__version__)
    if tuple(map(int, version.split(".")[:2])) < TORCH:
        return f"needs PyTorch {shown(TORCH)} or later; this is {version}"
    return None


def shown(version: Any) -> str:
    return ".".join(map(str, version[:2]))


if __name__ == "__main__":
    sys.exit(main())
