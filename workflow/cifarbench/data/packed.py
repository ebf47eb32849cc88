"""Archives, read file by file: tar, plain or compressed, and zip.

Each is read whole, also where a file of it is of no use, so that every checksum that it holds is checked.
A zip has one of each file, a compressed tar one of everything, a plain tar only of its headers.
"""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from cifarbench.config.benchmark import ReadOptions
from cifarbench.errors import UserError

KINDS = ".tar, .tar.gz, .tar.bz2, .tar.xz or .zip"
TAR_AT = 257  # where an uncompressed tar says `ustar`
BLOCK = tarfile.BLOCKSIZE
LONGEST_TAR_END = 2 * BLOCK + tarfile.RECORDSIZE  # zeros: two blocks, then up to a record
ZIPPED = b"PK\3\4"  # begins a file in a zip
PIECE = 1 << 20
BYTES_OF_A_PIXEL = 8  # of four channels with 16 bits each


class Member(NamedTuple):
    """A file or directory inside; the content is None for a directory."""

    name: PurePosixPath
    content: bytes | None


Reader = Callable[[Path, ReadOptions], Iterator[Member]]
COMPRESSED: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file)),
    b"BZh": lambda file: cast(IO[bytes], bz2.BZ2File(file)),
    b"\xfd7zXZ": lambda file: cast(IO[bytes], lzma.LZMAFile(file)),  # noqa: SIM115
}


def printable(name: object) -> str:
    """Return a name as a terminal may have it: what is not printable is escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(name))


def reader_of(path: Path) -> Reader:
    """Tell the kind of an archive by its first bytes, since an address may have no suffix."""
    with path.open("rb") as file:
        start = file.read(TAR_AT + 5)
    if start.startswith(b"PK"):
        return of_zip
    if start[TAR_AT:] == b"ustar" or any(start.startswith(magic) for magic in COMPRESSED):
        return of_tar
    raise UserError(f"{path}: is no archive that can be read: {KINDS}, or a folder")


def of_tar(path: Path, limits: ReadOptions) -> Iterator[Member]:
    with (
        _unpacked(path, limits) as stream,
        tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:") as archive,
    ):
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # where it keeps them all
            name = _inside(path, member.name)
            if not (member.isdir() or member.isfile()):
                raise UserError(
                    f"{path}: member {printable(name)!r} is a link or device; pack plain files only"
                )
            check_size(path, name, member.size, limits)
            file = archive.extractfile(member)
            content = file.read() if file else None
            if content is not None and len(content) != member.size:
                raise UserError(
                    f"{path}: the archive is broken: it ends within {printable(name)}; fetch it again"
                )
            yield Member(name, content)
        _check_end(path, stream, archive.offset)


def _check_end(path: Path, stream: "_Capped", offset: int) -> None:
    """Read on to the end of a tar: tarfile takes whatever it does not understand for its end."""
    stream.seek(offset)
    zeros = 0
    while piece := stream.read(PIECE):
        if piece.strip(b"\0"):
            raise UserError(
                f"{path}: the archive is broken: no header of a file at byte {offset:,}; fetch it again"
            )
        zeros += len(piece)
    if zeros < BLOCK:
        raise UserError(
            f"{path}: the archive is broken: it has no end marker, so it is cut off; fetch it again"
        )
    if not stream.file.ended:
        raise UserError(
            f"{path}: the archive is broken: what comes after its end is not {path.suffix}; fetch it again"
        )
    if not stream.compressed and zeros > LONGEST_TAR_END:
        raise UserError(
            f"{path}: the archive is broken: its last {zeros:,} bytes are zeros; fetch or pack it again"
        )


def of_zip(path: Path, limits: ReadOptions) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        promised = _promised(path, len(archive.comment))
        if promised != len(entries):
            raise UserError(
                f"{path}: the archive is broken: it has {len(entries)} of {promised} files; fetch it again"
            )
        _check_all_listed(path, archive)
        total = sum(info.file_size for info in entries)
        if total > limits.max_bytes:
            raise _too_large(path, total, limits)
        for info in entries:
            name = _inside(path, info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UserError(
                    f"{path}: member {printable(name)!r} is a link or device; pack plain files only"
                )
            check_size(path, name, info.file_size, limits)
            content = _read_zipped(path, archive, info)
            is_directory = info.filename.endswith(("/", "\\"))  # Windows writes the latter
            yield Member(name, None if is_directory else content)


def _read_zipped(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read a member, a directory too, because that compares what the zip says of it in two places."""
    name = printable(info.filename)
    if info.flag_bits & 1:
        raise UserError(f"{path}: {name} is encrypted; pack it again without a password")
    try:
        content = archive.read(info)
    except NotImplementedError:
        raise UserError(
            f"{path}: {name} is packed by method {info.compress_type} (9 is Deflate64), which is not read; "
            "pack it again as a plain zip"
        ) from None
    except Exception as error:  # as in _naming_faults, and here it is known in which member
        raise UserError(
            f"{path}: the archive is broken in {name}: {printable(error)}; fetch or pack it again"
        ) from None
    if len(content) != info.file_size:
        raise UserError(f"{path}: the archive is broken in {name}: its size is wrong; fetch or pack it again")
    return content


def _promised(path: Path, comment: int) -> int:
    """Return how many entries the end record of a zip tells of, with a comment of so many bytes after it."""
    with path.open("rb") as file:
        end = file.seek(-22 - comment, os.SEEK_END)
        (count,) = struct.unpack("<10xH", file.read(12))
        if count == 0xFFFF and end >= 76:
            file.seek(end - 76)  # zip64: a record of 56 bytes, then a locator of 20
            magic, large = struct.unpack("<4s28xQ", file.read(40))
            return int(large) if magic == b"PK\6\6" else int(count)
    return int(count)


def _check_all_listed(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise UserError for files that the directory of a zip leaves out, as where two zips were joined."""
    end = 0  # of the file before
    with path.open("rb") as file:
        for start, size in sorted([*_places(archive), (archive.start_dir, 0)]):
            file.seek(end)
            if ZIPPED in file.read(max(start - end, 0)):
                raise UserError(
                    f"{path}: holds files that its directory leaves out, at byte {end:,}: is it several zips "
                    "in one, or a part of one? Pack it again"
                )
            file.seek(start + 26)
            end = start + 30 + sum(struct.unpack("<HH", file.read(4))) + size


def _places(archive: zipfile.ZipFile) -> Iterator[tuple[int, int]]:
    """Yield where each file begins, and how large it is there."""
    for info in archive.infolist():
        yield info.header_offset, info.compress_size


def _unpacked(path: Path, limits: ReadOptions) -> "_Capped":
    file = _File(io.FileIO(path))
    start = file.peek(8)
    for magic, opened in COMPRESSED.items():
        if start.startswith(magic):
            return _Capped(path, file, opened(file), limits)
    return _Capped(path, file, file, limits)


class _File(io.BufferedReader):
    """A file that knows whether it was read to its end: bz2 and lzma stop at what they do not understand."""

    ended = False

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.ended = self.ended or not content
        return content


class _Capped:
    """A stream that stops with UserError before it gives more than the limits allow."""

    def __init__(self, path: Path, file: _File, stream: IO[bytes], limits: ReadOptions) -> None:
        self.path, self.file, self.stream, self.limits = path, file, stream, limits
        self.compressed = stream is not file

    def read(self, size: int) -> bytes:
        check_size(self.path, "a header", size, self.limits)
        content = self.stream.read(size)
        self.check(self.tell())
        return content

    def seek(self, position: int) -> int:
        self.check(position)
        return self.stream.seek(position)

    def tell(self) -> int:
        return self.stream.tell()

    def check(self, position: int) -> None:
        if position > self.limits.max_bytes:
            raise _too_large(self.path, position, self.limits)

    def __enter__(self) -> "_Capped":
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        self.file.close()


def _too_large(path: Path, size: int, limits: ReadOptions) -> UserError:
    return UserError(
        f"{path}: holds {size:,} bytes or more unpacked, above max_bytes {limits.max_bytes:,}; "
        "if you trust it, raise max_bytes of this data set"
    )


def check_size(path: Path, name: object, size: int, limits: ReadOptions) -> None:
    largest = BYTES_OF_A_PIXEL * limits.max_pixels
    if size > largest:
        raise UserError(
            f"{path}: {printable(name)} has {size:,} bytes, above the {largest:,} of an image of max_pixels "
            f"{limits.max_pixels:,}; remove it, or raise max_pixels of this data set"
        )


def _inside(path: Path, name: str) -> PurePosixPath:
    inside = PurePosixPath(name.replace("\\", "/"))
    is_drive = ":" in name.split("/")[0]  # C:/ on Windows
    if inside.is_absolute() or ".." in inside.parts or is_drive:
        raise UserError(
            f"{path}: member {printable(name)!r} points outside the archive; not read, do not trust it"
        )
    return inside
