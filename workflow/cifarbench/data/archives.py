"""The files of an archive or folder, read one by one; nothing is unpacked to disk."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.packed import PIECE, Member, check_size, printable, reader_of
from cifarbench.errors import UserError
from cifarbench.files import sha256_of

# What systems and programs leave beside the files of a user; names that begin with a dot are others.
LEFTOVERS = {"__macosx", "@eadir", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin", "icon\r"}


def known_sha256(path: Path, made_from_it: Path, recorded: str | None) -> str:
    """Return the hash of an archive or folder; the `recorded` one if nothing in it changed since.

    `made_from_it` is the file that was made when the hash was recorded. Files that are touched or moved
    are hashed again, so that only another content gives another hash.
    """
    if recorded and made_from_it.exists() and not _changed_after(made_from_it.stat().st_mtime, path):
        return recorded
    return sha256_of_files(path)


def _changed_after(time: float, path: Path) -> bool:
    inside = [path, *(entry for _, entry in walk(path))] if path.is_dir() else [path]
    with suppress(OSError):  # of a link to nothing, which reading will name
        return any(max(entry.lstat().st_ctime, entry.stat().st_ctime) >= time for entry in inside)
    return True


def sha256_of_files(path: Path) -> str:
    """Hash an archive's bytes, or the names and contents of all files of a folder in order."""
    check_source(path)
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for name, entry in walk(path):
        if not entry.is_dir():
            _check_plain(path, name, entry)
            digest.update(f"{name}\0{entry.stat().st_size}\0".encode(errors="surrogateescape"))
            with entry.open("rb") as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
    return digest.hexdigest()


def check_source(path: Path) -> None:
    """Raise UserError for what is neither a file nor a folder."""
    if not path.exists():
        reason = "is a link to what does not exist" if path.is_symlink() else "does not exist"
        raise UserError(f"{path}: {reason}; set `source` to a folder or archive that does")
    if not (path.is_dir() or path.is_file()):
        raise UserError(f"{path}: is a pipe or device; set `source` to a folder or archive")


def check_apart(source: Path, output: Path) -> None:
    """Raise UserError for a source folder that what is made of it would become a part of."""
    inside = (output.resolve(), *output.resolve().parents)
    if source.is_dir() and source.resolve() in inside:
        raise UserError(
            f"{source}: is or holds {output}, where the data set is written; "
            "keep your images elsewhere, or give the data set another name"
        )


def members(path: Path, options: ReadOptions | None = None) -> Iterator[Member]:
    """Yield the directories and files of a folder or archive in their order, without leftovers of systems.

    Raise UserError for an archive that is broken, points outside, or is larger than `options` allow.
    """
    check_source(path)
    limits = options or ReadOptions()
    read = _of_folder if path.is_dir() else reader_of(path)
    seen: set[PurePosixPath] = set()
    for count, member in enumerate(_naming_faults(path, read(path, limits)), start=1):
        if count > limits.max_files:
            raise UserError(
                f"{path}: holds more than {limits.max_files:,} files; raise max_files of this data set"
            )
        if member.content is not None and member.name in seen:
            raise UserError(f"{path}: holds {printable(member.name)} twice; remove one")
        seen.add(member.name)
        if not _is_leftover(member.name):
            yield member


def _naming_faults(path: Path, inside: Iterator[Member]) -> Iterator[Member]:
    """Turn whatever goes wrong in reading into a line that says after which member."""
    fault, where = "cannot be read" if path.is_dir() else "the archive is broken", "its beginning"
    while True:
        try:
            member = next(inside)
        except StopIteration:
            return
        except UserError:
            raise
        # Formats, compressions and encryptions fail in ways of their own, which no list of types covers.
        except Exception as error:
            reason = printable(error) or type(error).__name__
            raise UserError(f"{path}: {fault} after {where}: {reason}; fetch or pack it again") from None
        where = printable(member.name)
        yield member


def _of_folder(path: Path, limits: ReadOptions) -> Iterator[Member]:
    for name, entry in walk(path):
        if entry.is_dir():
            yield Member(name, None)
            continue
        _check_plain(path, name, entry)
        check_size(path, name, entry.stat().st_size, limits)
        yield Member(name, entry.read_bytes())


def _check_plain(path: Path, name: PurePosixPath, entry: Path) -> None:
    if not entry.is_file():
        kind = "a pipe or device" if entry.exists() else "a link to what does not exist"
        raise UserError(f"{path}: {printable(name)} is {kind}; remove it")


def walk(path: Path, _above: Collection[Path] = ()) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield everything inside a folder, by name, each folder before its content; links are followed.

    Raise UserError for a link to a folder that holds it.
    """
    above = {path.resolve(), *(_above or path.resolve().parents)}
    for entry in sorted(path.iterdir()):
        if _is_leftover(PurePosixPath(entry.name)):
            continue
        yield PurePosixPath(entry.name), entry
        if entry.is_dir():
            if entry.resolve() in above:
                raise UserError(f"{printable(entry)}: is a link to a folder that holds it; remove it")
            for name, inner in walk(entry, above):
                yield entry.name / name, inner


def _is_leftover(name: PurePosixPath) -> bool:
    return any(part.startswith(".") or part.casefold() in LEFTOVERS for part in name.parts)
