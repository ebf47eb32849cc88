"""Folders as strangers bring them: with links, loops, pipes and devices."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from cifarbench.data.archives import known_sha256, sha256_of_files
from cifarbench.errors import UserError
from helpers.archives import content, image_folder, refusal


def test_links_in_a_folder_are_followed_and_their_content_counts(tmp_path: Path) -> None:
    elsewhere = image_folder(tmp_path / "elsewhere")
    mine = tmp_path / "mine"
    mine.mkdir()
    for split in ("train", "test"):
        (mine / split).symlink_to(elsewhere / split)
    assert content(mine).keys() == content(elsewhere).keys()
    assert sha256_of_files(mine) == sha256_of_files(elsewhere)
    made = tmp_path / "made"
    made.touch()
    os.utime(made, (made.stat().st_mtime + 10,) * 2)
    assert known_sha256(mine, made, "recorded") == "recorded"
    (elsewhere / "train/ants/0.png").write_bytes(b"another")
    os.utime(made, (0, 0))
    assert known_sha256(mine, made, "recorded") == sha256_of_files(elsewhere)


def loop(folder: Path) -> None:
    (folder / "train/again").symlink_to(folder)


def link_above_the_source(folder: Path) -> None:
    (folder / "train/again").symlink_to("/")


def dangling(folder: Path) -> None:
    (folder / "train/ants/9.png").symlink_to(folder / "none")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "train/ants/9.png")


def link_to_a_device(folder: Path) -> None:
    (folder / "train/ants/9.png").symlink_to("/dev/zero")


def loop_of_one(folder: Path) -> None:
    (folder / "train/ants/9.png").symlink_to("9.png")


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (loop, "train/again: is a link to a folder that holds it; remove it"),
        (link_above_the_source, "train/again: is a link to a folder that holds it; remove it"),
        (dangling, "train/ants/9.png is a link to what does not exist; remove it"),
        (loop_of_one, "train/ants/9.png is a link to what does not exist; remove it"),
        (pipe, "train/ants/9.png is a pipe or device; remove it"),
        (link_to_a_device, "train/ants/9.png is a pipe or device; remove it"),
    ],
)
def test_a_folder_with_what_is_no_file_is_refused(
    tmp_path: Path, spoil: Callable[[Path], None], line: str
) -> None:
    folder = image_folder(tmp_path / "mine")
    spoil(folder)
    with pytest.raises(UserError, match=line):
        content(folder)
    made = tmp_path / "made"
    made.touch()
    with suppress(UserError):  # as long as it is nothing else
        known_sha256(folder, made, "recorded")


def test_a_source_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "gone").symlink_to(tmp_path / "none")
    assert "is a pipe or device; set `source`" in refusal(tmp_path / "pipe")
    assert "is a pipe or device; set `source`" in refusal(Path("/dev/zero"))
    assert "is a link to what does not exist; set `source`" in refusal(tmp_path / "gone")
