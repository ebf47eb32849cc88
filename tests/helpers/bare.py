"""An environment with PyTorch, NumPy and what they need, and nothing else: a folder of links."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement


def link_packages(folder: Path, *names: str) -> None:
    waiting, seen = list(names), set[str]()
    while waiting:
        package = distribution(waiting.pop())
        if package.name in seen:
            continue
        seen.add(package.name)
        for top in {
            file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")
        }:
            if not (folder / top).exists():
                (folder / top).symlink_to(str(package.locate_file(top)))
        requirements = [Requirement(text) for text in package.requires or ()]
        waiting += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]


def start(packages: Path, *arguments: object, cwd: Path) -> subprocess.Popen[str]:
    """Start this Python with these packages alone; what it logs is in `stderr`."""
    return subprocess.Popen(
        [sys.executable, "-S", *map(str, arguments)],
        cwd=cwd,
        env={"PYTHONPATH": str(packages), "HOME": str(cwd)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
