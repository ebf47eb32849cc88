"""Files written whole or not at all, and read with one clear line when they are not what they should be."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError

from cifarbench.errors import UserError, explain

M = TypeVar("M", bound=BaseModel)
UMASK = os.umask(0)
os.umask(UMASK)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path near `path`; rename it when the block ends well, remove it otherwise.

    It lies in a folder of its own, where libraries may have temporary files, too. What a killed process
    left there is removed.

    Raise UserError when the system refuses, for example because the disk is full.
    """
    folder = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary = folder / path.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_strays(path)
        folder.mkdir(exist_ok=True)
        yield temporary
        temporary.chmod(0o666 & ~UMASK)  # some libraries write files that only their owner may read
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"{path}: cannot be written: {reason}; nothing was left behind, "
            "make room or choose another folder and run again"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # of a file system that has become read-only


def remove_strays(path: Path) -> None:
    """Remove what processes that are gone from this machine left of writing `path`."""
    for stray in path.parent.glob(f".{path.name}.*.part"):
        process = stray.name.split(".")[-2]
        with suppress(OSError):
            if not (process.isdecimal() and _is_running(int(process))):
                shutil.rmtree(stray) if stray.is_dir() else stray.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def write_text(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


Upgrade = Callable[[dict[str, Any]], dict[str, Any]]


def read_model(kind: type[M], path: Path, maker: str, upgrade: Upgrade | None = None) -> M:
    """Read JSON that `maker` (a command) wrote; `upgrade` brings that of earlier versions to today's.

    Raise UserError naming the file and the first fault.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; make it with `{maker}`") from None
    return parse_model(kind, text, str(path), maker, upgrade)


def parse_model(kind: type[M], text: bytes, where: str, maker: str, upgrade: Upgrade | None = None) -> M:
    """Read JSON as `read_model` does; `where` it comes from stands in the error."""
    try:
        return _validated(kind, text, upgrade)
    except ValidationError as error:
        fault = explain(error, where).splitlines()[0]
        raise UserError(f"{fault} (written by another version? make it again with `{maker}`)") from None


def _validated(kind: type[M], text: bytes, upgrade: Upgrade | None) -> M:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        if upgrade is None:
            raise
    with suppress(
        ValueError, TypeError, LookupError, AttributeError, RecursionError
    ):  # of what is no such file at all
        text = json.dumps(upgrade(json.loads(text))).encode()
    return kind.model_validate_json(text)
