"""The files of an archive or folder, read one by one; nothing is unpacked to disk."""

import hashlib
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from cifarbench.errors import UserError
from cifarbench.files import sha256_of

TAR_AT = 257  # where an uncompressed tar says `ustar`
KINDS = ".tar, .tar.gz, .tar.bz2, .tar.xz or .zip"

Member = tuple[PurePosixPath, bytes | None]  # path inside; content, None for a directory


def known_sha256(path: Path, made_from_it: Path, recorded: str | None) -> str:
    """Return the hash of an archive or folder; the `recorded` one if nothing in it changed since.

    `made_from_it` is the file that was made when the hash was recorded. Files that are touched or moved
    are hashed again, so that only another content gives another hash.
    """
    inside = [path, *path.rglob("*")] if path.is_dir() else [path]
    if recorded and made_from_it.exists():
        made = made_from_it.stat().st_mtime
        if all(entry.lstat().st_ctime < made for entry in inside):
            return recorded
    return sha256_of_files(path)


def sha256_of_files(path: Path) -> str:
    """Hash an archive's bytes, or the names and contents of all files of a folder in order."""
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    for name, content in members(path):
        if content is not None:
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def members(path: Path) -> Iterator[Member]:
    """Yield the directories and files of a folder, .tar* or .zip; hidden ones are left out.

    Raise UserError for an archive that is broken or has a member that points outside.
    """
    if path.is_dir():
        yield from _of_folder(path)
    elif not path.is_file():
        raise UserError(f"{path}: does not exist; set `source` to a folder or archive that does")
    else:
        try:
            yield from _reader_of(path)(path)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise UserError(f"{path}: the archive is broken: {error}; fetch it again") from None


def _reader_of(path: Path) -> Callable[[Path], Iterator[Member]]:
    """Tell the kind of an archive by its first bytes, since an address may have no suffix."""
    with path.open("rb") as file:
        start = file.read(TAR_AT + 5)
    if start.startswith(b"PK"):
        return _of_zip
    if start.startswith((b"\x1f\x8b", b"\xfd7zXZ", b"BZh")) or start[TAR_AT:] == b"ustar":
        return _of_tar
    raise UserError(f"{path}: is no archive that can be read: {KINDS}, or a folder")


def _of_folder(path: Path) -> Iterator[Member]:
    for entry in sorted(path.rglob("*")):
        name = PurePosixPath(entry.relative_to(path).as_posix())
        if not _hidden(name):
            yield name, None if entry.is_dir() else entry.read_bytes()


def _of_tar(path: Path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for member in archive:
            name = _inside(path, member.name)
            if not (member.isdir() or member.isfile()):
                raise UserError(f"{path}: member {member.name!r} is a link or device; pack plain files only")
            file = archive.extractfile(member)
            if not _hidden(name):
                yield name, file.read() if file else None


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = _inside(path, info.filename)
            if not _hidden(name):
                yield name, None if info.is_dir() else archive.read(info)


def _inside(path: Path, name: str) -> PurePosixPath:
    inside = PurePosixPath(name.replace("\\", "/"))
    is_drive = ":" in name.split("/")[0]  # C:/ on Windows
    if inside.is_absolute() or ".." in inside.parts or is_drive:
        raise UserError(f"{path}: member {name!r} points outside the archive; not read, do not trust it")
    return inside


def _hidden(name: PurePosixPath) -> bool:
    return any(part.startswith(".") or part in ("__MACOSX", "Thumbs.db") for part in name.parts)
