"""The house: rooms import only from the floors below them, and what Snakemake reads is free of torch."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from helpers.repository import REPOSITORY

PACKAGE = REPOSITORY / "workflow" / "cifarbench"
# From the ground up; rooms on one floor do not import each other.
FLOORS = (
    {"errors", "files", "machine", "words"},
    {"config"},
    {"data", "models", "records"},
    {"plan", "training", "tracking"},
    {"sweep", "bench", "bundle", "use"},
    {"analysis"},
    {"report"},
    {"cli"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# A step along one floor, in one direction only.
ALONG = {("files", "errors")}


def imports(path: Path) -> Iterator[str]:
    """Yield each module of the package that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if (node.module or "").startswith("cifarbench."):
                yield str(node.module)


def test_imports_go_down_the_floors() -> None:
    upwards = []
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        for module in imports(path):
            other = module.split(".")[1]
            down = FLOOR[other] < FLOOR[room] or other == room or (room, other) in ALONG
            if not down:
                upwards.append(f"{path.relative_to(PACKAGE)} imports {module}")
    assert not upwards


def test_packages_run_nothing_when_they_are_imported() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        if path.parent != PACKAGE:
            assert not path.read_text(encoding="utf-8").strip(), path


def test_what_snakemake_imports_is_free_of_torch() -> None:
    modules = set(
        re.findall(r"^import (cifarbench[\w.]*)", (REPOSITORY / "rules/common.smk").read_text(), re.MULTILINE)
    )
    assert modules
    program = f"import sys, {', '.join(sorted(modules))}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
