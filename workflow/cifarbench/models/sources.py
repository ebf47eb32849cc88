"""The files that a model is made of: its own and, of those in its folder, the ones that it imports or names.

Read from the sources, so that torch is not needed and nothing runs.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.models.libraries import LibraryModel

LONGEST_PATH = 200  # what is longer is no path that a model names
ZOO = "cifarbench.models.zoo."  # where a model of ours may import from another


def parse_source(path: Path) -> ast.Module:
    """Parse a model's file. Raise UserError where it is missing or no Python."""
    try:
        return ast.parse(path.read_text(encoding="utf-8-sig"))
    except (OSError, SyntaxError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a model: {error}; see examples/own-model") from None


def model_sources(path: Path) -> list[Path]:
    """Return the model's file, and in order those below its folder that it or they import or name."""
    found: list[Path] = []
    to_read = [path]
    while to_read:
        file = to_read.pop()
        if file not in found:
            found.append(file)
            to_read += _used(file, path.parent) if file.suffix == ".py" else ()
    return [path, *sorted(found[1:])]


def model_sha256(path: Path | LibraryModel) -> str:
    """Hash what the model is made of; of a model in one file, that file.

    What a library builds its version tells, in words that a reader can do something with.
    """
    if isinstance(path, LibraryModel):
        return path.version
    sources = model_sources(path)
    if len(sources) == 1:
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in sources:
        name = file.relative_to(path.parent).as_posix()
        digest.update(name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _used(file: Path, folder: Path) -> Iterator[Path]:
    """Yield the files below `folder` that a file imports, with the packages that they are in, or names."""
    for node in ast.walk(parse_source(file)):
        names: list[str] = []
        start = folder
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _named(node.value, file.parent, folder)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = f"{node.module}." if node.module else ""
            names = [module + alias.name for alias in node.names]
            start = file.parents[node.level - 1] if node.level else folder
        for name in names:
            yield from _files_of(start, name.removeprefix(ZOO).split("."))


def _named(text: str, beside: Path, folder: Path) -> Iterator[Path]:
    """Yield the file whose path a text is, such as weights that a model loads or a file that it runs."""
    if text.isprintable() and len(text) < LONGEST_PATH and ".." not in text:
        place = beside / text
        yield from [place] if place.is_relative_to(folder) and place.is_file() else ()


def _files_of(folder: Path, parts: list[str]) -> Iterator[Path]:
    for count in range(1, len(parts) + 1):
        place = folder.joinpath(*parts[:count])
        yield from (file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file())
