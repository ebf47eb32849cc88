"""Archives as strangers bring them: damaged, encrypted, full of leftovers, too large.

The invariant of all: exactly the images that were put in, or one line that names file, member and what to do.
"""

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.archives import members, sha256_of_files
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from helpers.archives import ARCHIVES, add, content, image_folder, packed, refusal


def gnu_tar(path: Path, names: list[str]) -> list[int]:
    """Write a file of 600 bytes for each name; return where the headers are."""
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in names:
            add(archive, name, b"x" * 600)
    return [index * 1536 for index in range(len(names))]


@pytest.mark.parametrize("at", [0, 100, 124, 148, 156])
def test_a_tar_with_a_damaged_header_is_refused_wherever_it_is(tmp_path: Path, at: int) -> None:
    """tarfile takes a header that it does not understand for the end of the archive."""
    path = tmp_path / "a.tar"
    for header in gnu_tar(path, ["train/a/1", "train/a/2", "train/a/3"]):
        damaged = bytearray(path.read_bytes())
        damaged[header + at] ^= 1
        (tmp_path / "b.tar").write_bytes(damaged)
        assert "broken" in (line := refusal(tmp_path / "b.tar")) or "is no archive" in line


def test_a_tar_that_ends_too_soon_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    *_, last = gnu_tar(path, ["1", "2", "3"])
    whole = path.read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole[:last])  # at the very end of a file
    assert "it has no end marker, so it is cut off" in refusal(cut)
    cut.write_bytes(whole[: last + 700])
    assert "broken" in refusal(cut)
    cut.write_bytes(whole[: last - 1536] + bytes(1536) + whole[last:])  # a file was erased in the middle
    assert "no header of a file at byte 1,536" in refusal(cut)
    cut.write_bytes(whole[:1536] + bytes(20_000))
    assert "its last 20,000 bytes are zeros" in refusal(cut)


@pytest.mark.parametrize("kind", ARCHIVES)
def test_every_byte_counts(tmp_path: Path, kind: str) -> None:
    """Any byte changed gives a refusal or the same files; a plain tar has a checksum of its headers alone."""
    folder = tmp_path / "mine"
    for name in ("train/ants/1", "train/bees/2", "test/ants/3", "test/caf\u00e9/4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(os.urandom(40))
    path = packed(folder, kind)
    sound, whole = content(path), path.read_bytes()
    names = list(sound)
    for at in range(0, len(whole), max(1, len(whole) // 250)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        try:
            found = content(path)
        except UserError:
            continue
        assert [Path(name).name for name in found] == [Path(name).name for name in names]
        assert kind == ".tar" or found == sound


def test_a_zip_with_fewer_files_than_it_promises_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abc":
            archive.writestr(name, b"x")
        archive.comment = b"a comment"
    whole = path.read_bytes()
    assert content(path) == {"a": b"x", "b": b"x", "c": b"x"}
    end = whole.rindex(b"PK\5\6")
    path.write_bytes(whole[: end + 8] + struct.pack("<HH", 4, 4) + whole[end + 12 :])
    assert "the archive is broken: it has 3 of 4 files" in refusal(path)


def test_a_zip_of_several_or_with_files_that_it_does_not_list_is_refused(tmp_path: Path) -> None:
    """zipfile reads the directory at the end, and nothing that this one leaves out."""
    path = tmp_path / "a.zip"
    for left_out in range(3):
        with zipfile.ZipFile(path, "w") as archive:
            for name in "abc":
                archive.writestr(name, b"x")
            del archive.filelist[left_out]
        assert f"holds files that its directory leaves out, at byte {32 * left_out}" in refusal(path)
    one, other = (packed(image_folder(tmp_path / name), ".zip").read_bytes() for name in ("one", "other"))
    for joined in (one + other, one[: len(one) // 2] + other):
        path.write_bytes(joined)
        assert "is it several zips in one" in refusal(path)


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("after", [b"x", b"\0\0\0\0rest", b"y" * 100_000, None])
def test_what_comes_after_the_end_is_refused(tmp_path: Path, kind: str, after: bytes | None) -> None:
    """As where a second archive follows, the beginning of which is damaged."""
    path = packed(image_folder(tmp_path / "mine"), kind)
    whole = path.read_bytes()
    path.write_bytes(whole + (after if after is not None else b"\xff" + whole[1:]))
    assert "broken" in (line := refusal(path)) or "leaves out" in line


def encrypted(path: Path) -> None:
    _zip_with(path, flag=1)


def deflate64(path: Path) -> None:
    _zip_with(path, method=9)


def broken_deflate(path: Path) -> None:
    _zip_with(path, method=8)


def _zip_with(path: Path, flag: int = 0, method: int = 0) -> None:
    """Write a zip that says of its member train/ants/0.png that it is encrypted or packed otherwise."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train/ants/0.png", b"no deflate stream")
    whole = bytearray(path.read_bytes())
    for start, offset in ((whole.index(b"PK\3\4"), 6), (whole.index(b"PK\1\2"), 8)):
        whole[start + offset : start + offset + 4] = struct.pack("<HH", flag, method)
    path.write_bytes(whole)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (encrypted, "train/ants/0.png is encrypted; pack it again without a password"),
        (
            deflate64,
            "train/ants/0.png is packed by method 9 (9 is Deflate64), which is not read; pack it again",
        ),
        (broken_deflate, "the archive is broken in train/ants/0.png: Error -3 while decompressing data"),
    ],
)
def test_a_zip_that_cannot_be_read_names_its_member(
    tmp_path: Path, make: Callable[[Path], None], line: str
) -> None:
    make(tmp_path / "a.zip")
    assert line in refusal(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_broken_compression_names_the_file_before_it(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in "abcdefgh":
        (folder / name).write_bytes(os.urandom(300_000))
    path = packed(folder, kind)
    whole = path.read_bytes()
    middle = len(whole) * 3 // 4
    path.write_bytes(whole[:middle] + bytes(100) + whole[middle + 100 :])
    assert "the archive is broken" in (line := refusal(path))
    assert "fetch" in line


@pytest.mark.parametrize("name", ["no archive", "Rar!\x1a\x07\x00", "\x28\xb5\x2f\xfd zstd", ""])
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.zip").write_bytes(name.encode("latin-1"))
    assert "is no archive that can be read: .tar, .tar.gz, .tar.bz2, .tar.xz or .zip" in refusal(
        tmp_path / "a.zip"
    )


@pytest.mark.parametrize("kind", ["folder", *ARCHIVES])
def test_leftovers_of_systems_are_no_files(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "mine"
    for name in (
        *("a/1.png", "a/._1.png", "a/.DS_Store", "a/Thumbs.db", "a/desktop.ini", "a/Desktop.ini"),
        *("__MACOSX/a/._1.png", "@eaDir/a/1.png@SynoEAStream", "a/@eaDir/1.png/SYNOPHOTO.jpg", ".git/x"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    top = "" if kind == "folder" else "top/"
    found = content(packed(folder, kind))
    assert [name for name, content in found.items() if content] == [f"{top}a/1.png"]


def test_a_zip_of_windows_has_backslashes_and_directories(tmp_path: Path) -> None:
    path = tmp_path / "a.ZIP"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (("train\\ants\\", b""), ("train\\ants\\1.png", b"x")):
            info = zipfile.ZipInfo()
            info.filename = name
            archive.writestr(info, text)
    assert content(path) == {"train/ants": None, "train/ants/1.png": b"x"}


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for text in (b"old", b"new"):
            add(archive, "train/a/1.png", text)
    assert "holds train/a/1.png twice; remove one" in refusal(tmp_path / "a.tar")


@pytest.mark.parametrize("kind", [".zip", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar"])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.bmp").write_bytes(bytes(1_000_000))
    path = packed(folder, kind)
    assert len(content(path)) == 3 + (kind != ".zip")
    line = refusal(path, max_bytes=2_500_000)
    assert "bytes or more unpacked, above max_bytes 2,500,000; if you trust it, raise max_bytes" in line
    assert "0.bmp has 1,000,000 bytes, above the 80,000 of an image of max_pixels 10,000" in refusal(
        path, max_pixels=10_000
    )
    assert "holds more than 2 files; raise max_files" in refusal(path, max_files=2)


def test_a_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    """A header of pax may say that it has any length, and tarfile would read it whole."""
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 10**9
    path = tmp_path / "a.tar"
    path.write_bytes(info.tobuf(tarfile.USTAR_FORMAT) + bytes(10_000))
    assert "a header has 1,000,000,512 bytes" in refusal(path) or "1,000,000,000 bytes" in refusal(path)


def test_a_zip64_says_how_many_files_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in "abcd":
            archive.writestr(name, b"x")
    assert b"PK\6\6" in path.read_bytes()
    assert list(content(path)) == ["a", "b", "c", "d"]


def test_an_archive_is_hashed_by_its_bytes_and_a_folder_by_names_and_contents(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "mine")
    path = packed(folder, ".zip")
    assert sha256_of_files(path) == sha256_of(path)
    before = sha256_of_files(folder)
    (folder / "train/ants/0.png").rename(folder / "train/ants/00.png")
    assert sha256_of_files(folder) != before


def test_a_folder_is_hashed_whatever_its_files_weigh(tmp_path: Path) -> None:
    """Limits are of what is decoded, and a data set may raise them."""
    (tmp_path / "a").mkdir()
    with (tmp_path / "a/film.mp4").open("wb") as file:
        file.truncate(8 * ReadOptions().max_pixels + 1)
    assert len(sha256_of_files(tmp_path)) == 64
    assert "a/film.mp4 has 400,000,001 bytes" in refusal(tmp_path)


def test_members_are_told_as_they_lie(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("b/2", "a/1", "./c/3"):
            add(archive, name, io.BytesIO(b"x").getvalue())
    assert [member.name for member in members(path)] == [
        PurePosixPath(name) for name in ("b/2", "a/1", "c/3")
    ]
