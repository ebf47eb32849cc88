"""Small archives in the official CIFAR formats and in the folder layout, made for the tests."""

import io
import pickle
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.archives import members
from cifarbench.errors import UserError

SPLITS = {
    "cifar10": ([f"data_batch_{n}" for n in range(1, 6)], "test_batch"),
    "cifar100": (["train"], "test"),
}
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tar.bz2", ".tar.xz")
NAMES = {"cifar10": [f"class{k}" for k in range(10)], "cifar100": [f"fine{k}" for k in range(100)]}


def batches(format: str, per_batch: int = 40) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return images (N, 3, 32, 32) and labels of each batch; every class occurs."""
    random = np.random.default_rng(0)
    train, test = SPLITS[format]
    return {
        name: (
            random.integers(0, 256, (per_batch, 3, 32, 32), np.uint8),
            np.arange(per_batch) % len(NAMES[format]),
        )
        for name in [*train, test]
    }


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def official_binary(path: Path, format: str, per_batch: int = 40) -> Path:
    """Write the layout of cifar-10-binary.tar.gz or cifar-100-binary.tar.gz."""
    names = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}[format]
    with tarfile.open(path, "w:gz") as archive:
        for name, (images, labels) in batches(format, per_batch).items():
            columns = [labels[:, None].astype(np.uint8), images.reshape(len(images), -1)]
            coarse = [np.full((len(labels), 1), 99, np.uint8)] if format == "cifar100" else []
            add(archive, f"top/{name}.bin", np.hstack([*coarse, *columns]).tobytes())
        add(archive, f"top/{names}", "\n".join([*NAMES[format], ""]).encode())
    return path


def official_python(path: Path, format: str, payload: object = None) -> Path:
    """Write the layout of cifar-10-python.tar.gz or cifar-100-python.tar.gz; `payload` replaces a batch."""
    key, meta = {"cifar10": (b"labels", "batches.meta"), "cifar100": (b"fine_labels", "meta")}[format]
    with tarfile.open(path, "w:gz") as archive:
        for name, (images, labels) in batches(format).items():
            content = payload or {b"data": images.reshape(len(images), -1), key: labels.tolist()}
            add(archive, f"top/{name}", pickle.dumps(content))
        names = [name.encode() for name in NAMES[format]]
        add(archive, f"top/{meta}", pickle.dumps({b"label_names": names, b"fine_label_names": names}))
    return path


def image_folder(folder: Path, splits: tuple[str, ...] = ("train", "test"), per_class: int = 6) -> Path:
    """Write <split>/<class>/<n>.png, two classes, of odd sizes; `splits` ("",) leaves the split out."""
    for split in splits:
        for label, name in enumerate(("ants", "bees")):
            place = folder / split / name
            place.mkdir(parents=True)
            for n in range(per_class):
                Image.new("RGB", (20 + n, 50), (100 * label + 20, n, 9 * n)).save(place / f"{n}.png")
    return folder


def packed(folder: Path, kind: str) -> Path:
    """Return the folder itself, or packed."""
    if kind == "folder":
        return folder
    path = folder.with_suffix(kind)
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, f"top/{file.relative_to(folder)}")
    else:
        with tarfile.open(path, f"w:{kind.removeprefix('.tar').removeprefix('.')}") as archive:
            archive.add(folder, "top")
    return path


def pictures(folder: Path, *places: str, each: int = 5) -> Path:
    """Write `each` pictures into each of `places`, all different."""
    for place in places:
        (folder / place).mkdir(parents=True, exist_ok=True)
        for n in range(each):
            noise = np.random.default_rng([n, *place.encode()]).integers(0, 256, (8, 8, 3), np.uint8)
            Image.fromarray(noise).save(folder / place / f"{n}.png")
    return folder


def content(path: Path, **options: int) -> dict[str, bytes | None]:
    return {str(name): content for name, content in members(path, ReadOptions(**options))}


def refusal(path: Path, **options: int) -> str:
    with pytest.raises(UserError) as caught:
        content(path, **options)
    line = str(caught.value)
    assert line.isprintable()
    assert line.startswith(f"{path}: ")
    return line
