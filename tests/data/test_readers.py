"""Readers: the right images and labels from each format, and one clear line for each kind of bad source."""

import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Request
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from helpers.archives import NAMES, add, batches, image_folder, official_binary, official_python, packed
from helpers.repository import REPOSITORY


def refusal(format: str, path: Path | None, sha256: str | None = None) -> str:
    with pytest.raises(UserError) as caught:
        read_source(format, Request(path, sha256))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("format", ["cifar10", "cifar100"])
@pytest.mark.parametrize("make", [official_binary, official_python])
def test_official_archives_are_read_in_their_order(
    tmp_path: Path, format: str, make: Callable[[Path, str], Path]
) -> None:
    path = make(tmp_path / "archive.tar.gz", format)
    source = read_source(format, Request(path, sha256_of(path)))
    *train, test = batches(format).values()
    assert np.array_equal(source.train_images, np.concatenate([images for images, _ in train]))
    assert np.array_equal(source.train_labels, np.concatenate([labels for _, labels in train]))
    assert np.array_equal(source.test_images, test[0])
    assert np.array_equal(source.test_labels, test[1])
    assert source.classes == NAMES[format]
    assert not source.test_was_drawn


def test_without_a_checksum_only_the_official_archives_are_taken(tmp_path: Path) -> None:
    path = official_binary(tmp_path / "cifar-10-binary.tar.gz", "cifar10")
    line = refusal("cifar10", path)
    assert "wrong checksum" in line
    assert sha256_of(path) in line
    assert "c4a38c50" in line


def test_a_pickle_that_is_no_array_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harm"),)

    path = official_python(tmp_path / "cifar-10-python.tar.gz", "cifar10", Evil())
    assert "asks for posix.mkdir, which is no array" in refusal("cifar10", path, sha256_of(path))
    assert not (tmp_path / "harm").exists()


def test_an_archive_of_another_layout_is_refused(tmp_path: Path) -> None:
    path = official_binary(tmp_path / "cifar-10-binary.tar.gz", "cifar10")
    assert "is not laid out as the official archive" in refusal("cifar100", path, sha256_of(path))


def test_digits_are_the_real_ones() -> None:
    source = read_source("digits", Request(None))
    assert source.train_images.shape == (1437, 3, 32, 32)
    assert source.test_images.shape == (360, 3, 32, 32)
    assert source.train_images.dtype == np.uint8
    assert source.train_images.max() == 255
    assert np.array_equal(source.train_images[:, 0], source.train_images[:, 2])
    assert set(np.bincount(source.test_labels)) <= {35, 36, 37}


@pytest.mark.parametrize("kind", ["folder", ".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz"])
def test_a_folder_is_read_from_disk_and_from_every_archive(tmp_path: Path, kind: str) -> None:
    folder = image_folder(tmp_path / "mine")
    (folder / "train/ants/.DS_Store").write_text("hidden")
    source = read_source("folder", Request(packed(folder, kind)))
    assert source.classes == ["ants", "bees"]
    assert source.train_images.shape == (12, 3, 32, 32)
    assert np.array_equal(source.train_labels, [0] * 6 + [1] * 6)
    assert source.train_images[0, :, 0, 0].tolist() == [20, 0, 0]
    assert source.test_images[-1, :, 31, 31].tolist() == [120, 5, 45]


def test_without_a_test_folder_a_fifth_of_each_class_is_drawn(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "mine", splits=("",), per_class=10)
    source = read_source("folder", Request(folder))
    assert source.test_was_drawn
    assert np.bincount(source.test_labels).tolist() == [2, 2]
    assert np.bincount(source.train_labels).tolist() == [8, 8]
    again = read_source("folder", Request(folder))
    assert np.array_equal(source.test_images, again.test_images)
    both = np.concatenate([source.train_images, source.test_images])
    assert len(np.unique(both.reshape(20, -1), axis=0)) == 20


def test_any_mode_of_image_becomes_three_upright_channels(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "mine")
    sideways = Image.new("L", (64, 32))
    sideways.paste(255, (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees to show
    sideways.save(folder / "train/ants/0.png", exif=exif)
    Image.new("RGBA", (8, 8), (1, 2, 3, 0)).save(folder / "train/ants/1.png")
    source = read_source("folder", Request(folder))
    assert source.train_images[0, :, 2, 16].tolist() == [255, 255, 255]
    assert source.train_images[0, :, 29, 16].tolist() == [0, 0, 0]
    assert source.train_images[1, :, 16, 16].tolist() == [255, 255, 255]


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "train/../../evil.png", "C:/evil.png"])
@pytest.mark.parametrize("kind", [".tar", ".zip"])
def test_an_archive_with_a_member_outside_is_not_read(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / f"evil{kind}"
    if kind == ".tar":
        with tarfile.open(path, "w") as tar:
            add(tar, name, b"x")
    else:
        with zipfile.ZipFile(path, "w") as zipped:
            zipped.writestr(name, b"x")
    assert f"member '{name}' points outside the archive" in refusal("folder", path)


def test_an_archive_with_a_link_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        link = tarfile.TarInfo("train/ants/0.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "is a link or device" in refusal("folder", path)


def empty_class(folder: Path) -> None:
    (folder / "train/wasps").mkdir()


def class_only_in_test(folder: Path) -> None:
    (folder / "test/wasps").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "test/wasps/0.png")


def no_image(folder: Path) -> None:
    (folder / "train/ants/notes.txt").write_text("not an image")


def cut_off_image(folder: Path) -> None:
    path = folder / "train/ants/0.png"
    path.write_bytes(path.read_bytes()[:60])


def outside_the_layout(folder: Path) -> None:
    (folder / "wasps").mkdir()
    Image.new("RGB", (32, 32)).save(folder / "wasps/0.png")


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (empty_class, "class train/wasps has no images; add some or remove the folder"),
        (class_only_in_test, "class wasps has no images in train/; add some or remove the class"),
        (
            no_image,
            "train/ants/notes.txt is no image that can be read (cannot identify image file); remove it",
        ),
        (cut_off_image, "train/ants/0.png is no image that can be read"),
        (outside_the_layout, "classes outside train/ and test/"),
    ],
)
def test_a_spoilt_folder_is_refused_by_name(tmp_path: Path, spoil: Callable[[Path], None], line: str) -> None:
    folder = image_folder(tmp_path / "mine")
    spoil(folder)
    assert line in refusal("folder", folder)


def test_sources_that_are_not_there_or_empty_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal("folder", tmp_path / "none")
    assert "source is missing; lay it out as" in refusal("folder", None)
    assert "is not the official archive; set `source`" in refusal("cifar10", None)
    assert "holds no images; lay it out as train/<class>/<image>" in refusal("folder", tmp_path)
    odd = tmp_path / "images.rar"
    odd.touch()
    assert "is no archive that can be read: .tar, .tar.gz" in refusal("folder", odd)
    cut = tmp_path / "cut.tar.gz"
    whole = packed(image_folder(tmp_path / "mine"), ".tar.gz").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    assert "the archive is broken" in refusal("folder", cut)
    assert "wrong checksum" in refusal("folder", cut, "0" * 64)


def test_too_few_images_to_draw_a_test_set(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "mine", splits=("",), per_class=4)
    assert "class ants has fewer than 5 images" in refusal("folder", folder)


def test_huge_images_are_refused_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    folder = image_folder(tmp_path / "mine")
    assert "decompression bomb" in refusal("folder", folder)


def test_the_archive_of_the_example_is_read() -> None:
    source = read_source("folder", Request(REPOSITORY / "examples/own-data/digits.zip"))
    assert source.classes == ["eight", "nine", "three"]
    assert len(source.train_images) == 90
    assert len(source.test_images) == 30
