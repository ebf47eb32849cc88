"""Official data sets beside CIFAR, on small files of the real layout: images, checksums and refusals."""

import gzip
import hashlib
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision import datasets
from torchvision.datasets.mnist import read_image_file, read_label_file

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import Dataset, ReadOptions
from cifarbench.data.catalogue import CATALOGUE, downloads
from cifarbench.data.manifest import IMAGES, read_manifest
from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Request, Source
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from helpers.archives import add, pictures

RANDOM = np.random.default_rng(0)
IDX = ("mnist", "fashion_mnist", "kmnist")


def noise(*shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, shape, np.uint8)


def idx(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes()))


def mnist_folder(folder: Path) -> dict[str, np.ndarray]:
    """Write the four files, 30 training and 10 test images, and return what is in them."""
    folder.mkdir()
    parts = {}
    for part, count in (("train", 30), ("t10k", 10)):
        parts[f"{part}-images-idx3-ubyte"] = noise(count, 28, 28)
        parts[f"{part}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    for name, values in parts.items():
        idx(folder / f"{name}.gz", values)
    return parts


def all_together(*files: Path) -> str:
    return hashlib.sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()


def read_mnist(folder: Path, format: str = "mnist", size: int = 32) -> Source:
    files = [folder / name for name in downloads(Dataset(name=format))]
    return read_source(format, Request(folder, all_together(*files), ReadOptions(image_size=size)))


@pytest.mark.parametrize("format", IDX)
def test_idx_files_are_read_as_torchvision_reads_them(tmp_path: Path, format: str) -> None:
    mnist_folder(tmp_path / "raw")
    source, own = (read_mnist(tmp_path / "raw", format, size) for size in (32, 28))
    assert len(source.classes) == 10
    for part, images, labels in (
        ("train", source.train_images, source.train_labels),
        ("t10k", source.test_images, source.test_labels),
    ):
        for kind in ("images-idx3", "labels-idx1"):
            packed = (tmp_path / f"raw/{part}-{kind}-ubyte.gz").read_bytes()
            (tmp_path / f"{part}-{kind}").write_bytes(gzip.decompress(packed))
        theirs = read_image_file(str(tmp_path / f"{part}-images-idx3")).numpy()
        assert np.array_equal(labels, read_label_file(str(tmp_path / f"{part}-labels-idx1")).numpy())
        assert np.array_equal((own.train_images if part == "train" else own.test_images)[:, 1], theirs)
        larger = [np.asarray(Image.fromarray(i).resize((32, 32), Image.Resampling.BILINEAR)) for i in theirs]
        for channel in range(3):
            assert np.array_equal(images[:, channel], np.stack(larger))


@pytest.mark.parametrize(
    ("format", "theirs"), list(zip(IDX, ("MNIST", "FashionMNIST", "KMNIST"), strict=True))
)
def test_addresses_checksums_and_classes_are_those_of_torchvision(format: str, theirs: str) -> None:
    known = getattr(datasets, theirs)
    files = downloads(Dataset(name=format))
    assert {name: file.md5 for name, file in files.items()} == dict(known.resources)
    assert {file.url.rpartition("/")[0] + "/" for file in files.values()} <= set(known.mirrors)
    names = [name.rpartition(" - ")[2] for name in known.classes]
    ours = CATALOGUE[format].layout["classes"]
    assert ours == names or format == "mnist"


def test_checksums_of_svhn_and_stl10_are_those_of_torchvision() -> None:
    svhn = {file.url: file.md5 for file in CATALOGUE["svhn"].archives}
    assert svhn == {url: md5 for url, _, md5 in (datasets.SVHN.split_list[s] for s in ("train", "test"))}
    [stl10] = CATALOGUE["stl10"].archives
    assert (stl10.url, stl10.md5) == (datasets.STL10.url, datasets.STL10.tgz_md5)


def test_svhn(tmp_path: Path) -> None:
    images = noise(32, 32, 3, 20)
    labels = (np.arange(20) % 10 + 1).astype(np.uint8)[:, None]
    files = [tmp_path / f"{part}_32x32.mat" for part in ("train", "test")]
    for file in files:
        savemat(file, {"X": images, "y": labels})
    source = read_source("svhn", Request(files[0], all_together(*files), others=(files[1],)))
    assert np.array_equal(source.test_images[7], images[:, :, :, 7].transpose(2, 0, 1))
    assert source.train_labels[:11].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert source.classes == [str(n) for n in range(10)]


def test_stl10(tmp_path: Path) -> None:
    images = noise(8, 3, 96, 96)
    content = {
        "class_names.txt": b"airplane\nbird\n",
        "unlabeled_X.bin": b"not read",
        **{f"{part}_X.bin": images.transpose(0, 1, 3, 2).tobytes() for part in ("train", "test")},
        **{f"{part}_y.bin": bytes([1, 2] * 4) for part in ("train", "test")},
    }
    path = tmp_path / "stl10_binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in content.items():
            add(archive, f"stl10_binary/{name}", text)
    source = read_source("stl10", Request(path, sha256_of(path)))
    third = Image.fromarray(images[3].transpose(1, 2, 0)).resize((32, 32), Image.Resampling.BILINEAR)
    assert np.array_equal(source.train_images[3], np.asarray(third).transpose(2, 0, 1))
    own = read_source("stl10", Request(path, sha256_of(path), ReadOptions(image_size=96)))
    assert np.array_equal(own.test_images, images)
    assert source.test_labels.tolist() == [0, 1] * 4
    assert source.classes == ["airplane", "bird"]


def test_cifar_10_1(tmp_path: Path) -> None:
    pixels, labels = noise(30, 32, 32, 3), (np.arange(30) % 10).astype(np.int32)
    files = [tmp_path / f"cifar10.1_v6_{name}.npy" for name in ("data", "labels")]
    for file, values in zip(files, (pixels, labels), strict=True):
        np.save(file, values)
    source = read_source("cifar10_1", Request(tmp_path, all_together(*files)))
    images = np.concatenate((source.train_images, source.test_images))
    found = dict(
        zip((image.tobytes() for image in images), (*source.train_labels, *source.test_labels), strict=True)
    )
    assert found == {image.transpose(2, 0, 1).tobytes(): n % 10 for n, image in enumerate(pixels)}
    assert source.test_was_drawn
    assert source.classes[9] == "truck"
    assert "wrong checksum" in refusal("cifar10_1", Request(tmp_path))
    np.save(files[1], labels + 1)
    assert "labels are 1 to 10" in refusal("cifar10_1", Request(tmp_path, all_together(*files)))
    np.save(files[1], np.array([{}], object))
    assert "is not laid out as CIFAR-10.1" in refusal("cifar10_1", Request(tmp_path, all_together(*files)))


def refusal(format: str, request: Request) -> str:
    with pytest.raises(UserError) as caught:
        read_source(format, request)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_that_is_missing_or_another_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "raw"
    mnist_folder(folder)
    line = refusal("mnist", Request(folder))
    assert "train-images-idx3-ubyte.gz: wrong checksum: md5:" in line
    assert "expected md5:f68b3c2dcbeaaa9fbdd348bbdeb94873; fetch it again" in line
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "t10k-labels-idx1-ubyte.gz is missing; give a folder of train-images" in refusal(
        "mnist", Request(folder)
    )
    assert "wrong checksum" in refusal("svhn", Request(folder)) or "is missing" in refusal(
        "svhn", Request(folder)
    )
    assert "stl10_binary.tar.gz is missing" in refusal("stl10", Request(None))


@pytest.mark.parametrize(
    "spoil",
    # Without the time, by which two processes would call the cases differently.
    [b"", b"no gzip", *(gzip.compress(head, mtime=0) for head in (b"\0\0\x08\3", b"\0\0\x0d\1\0\0\0\0"))],
)
def test_a_file_that_is_no_idx_is_refused(tmp_path: Path, spoil: bytes) -> None:
    mnist_folder(tmp_path / "raw")
    (tmp_path / "raw/train-labels-idx1-ubyte.gz").write_bytes(spoil)
    with pytest.raises(UserError, match=r"train-labels-idx1-ubyte.gz: is no IDX file"):
        read_mnist(tmp_path / "raw")


def test_the_four_files_are_normalised_by_the_command_of_the_rule(tmp_path: Path) -> None:
    mnist_folder(tmp_path / "raw")
    files = [tmp_path / "raw" / name for name in downloads(Dataset(name="mnist"))]
    call = [
        "--name",
        "mnist",
        "--format",
        "mnist",
        "--source",
        *map(str, files),
        "--output",
        str(tmp_path / "out"),
    ]
    assert main(["normalise", *call, "--sha256", all_together(*files)]) == 0
    assert read_manifest(tmp_path / "out").train_images == [3] * 10


def test_a_data_set_that_is_verified_by_its_images(tmp_path: Path, fails: Callable[..., str]) -> None:
    """Its server packs it anew, so that the bytes of the archive say nothing."""
    source = pictures(tmp_path / "mine", "train/a", "train/b", "test/a", "test/b")
    call = ["--name", "x", "--format", "cifar10_jpeg", "--source", source, "--output", tmp_path / "out"]
    line = fails("normalise", *call)
    assert "its images are not those of cifar10_jpeg: sha256 is" in line
    assert "expected cf7f5f2937c1706d286f023b3923190a1271e9b16a864aedb93a507875a63dbf" in line
    assert not (tmp_path / "out" / IMAGES).exists()
    [archive] = downloads(Dataset(name="cifar10_jpeg")).values()
    assert archive.checksum is None
    assert archive.url.endswith("d7d05618061fe37d830fb0419063d113c575ccbc.tar.gz")


def test_a_file_of_a_server_without_checksum_is_taken_as_it_comes(tmp_path: Path) -> None:
    from helpers.server import Server

    server = Server(b"whatever it packs")
    try:
        call = ["--url", server.url, "--output", str(tmp_path / "a"), "--checksum"]
        assert main(["download", *call, "none"]) == 0
        assert main(["download", *call, f"md5:{hashlib.md5(server.body).hexdigest()}"]) == 0
    finally:
        server.close()
    assert server.requests == 1  # the second call found what it wants
    assert (tmp_path / "a").read_bytes() == server.body


def test_every_entry_says_its_licence_and_has_a_reader() -> None:
    for name, entry in CATALOGUE.items():
        assert entry.licence, name
        assert (Path(__file__).parents[2] / f"workflow/cifarbench/data/readers/{entry.reader}.py").exists()
