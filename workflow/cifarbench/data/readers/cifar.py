"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009), from the official binary or Python archive.

https://www.cs.toronto.edu/~kriz/cifar.html describes both layouts. The binary one is downloaded, because
it needs no pickle; a copy of the Python one that is already here is read by an unpickler that knows only
arrays.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from cifarbench.data.archives import members, sha256_of_files
from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.errors import UserError

RECONSTRUCT = np.empty(0).__reduce__()[0]  # as NumPy's own pickles call it, wherever it stands
SIDE = 32
PIXELS = 3 * SIDE * SIDE


def read(entry: Entry, request: Request) -> Source:
    path, sha256 = request.path, request.sha256
    if path is None or not path.is_file():
        raise UserError(f"{path}: is not the official archive; set `source` to the .tar.gz file itself")
    official = [str(archive.sha256) for archive in entry.archives]
    expected = [sha256] if sha256 else [*official, *entry.other_sha256]
    found = sha256_of_files(path)
    if found not in expected:
        raise UserError(
            f"{path}: wrong checksum: sha256 is {found}, expected {' or '.join(expected)}; fetch it again"
        )
    files = {name.name: content for name, content in members(path, request.options) if content is not None}
    is_binary = any(name.endswith(".bin") for name in files)
    try:
        train, test, classes = (_binary if is_binary else _python)(entry.layout, files)
    except (KeyError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(f"{path}: is not laid out as the official archive: {error}; fetch it again") from None
    images, labels = (np.concatenate(parts) for parts in zip(*train, strict=True))
    size, (test_images, test_labels) = request.options.image_size, test
    return Source(
        in_colour(images, size), labels, in_colour(test_images, size), test_labels, classes, found, False
    )


Batch = tuple[Images, Labels]


def _binary(layout: Mapping[str, Any], files: dict[str, bytes]) -> tuple[list[Batch], Batch, list[str]]:
    def batch(name: str) -> Batch:
        records = np.frombuffer(files[f"{name}.bin"], np.uint8).reshape(-1, layout["label_bytes"] + PIXELS)
        labels = records[:, layout["label_bytes"] - 1].astype(np.int64)
        return records[:, layout["label_bytes"] :].reshape(-1, 3, SIDE, SIDE), labels

    classes = files[layout["binary_names"]].decode().split()
    return [batch(name) for name in layout["train"]], batch(layout["test"]), classes


def _python(layout: Mapping[str, Any], files: dict[str, bytes]) -> tuple[list[Batch], Batch, list[str]]:
    def load(name: str) -> dict[bytes, Any]:
        return _ArraysOnly(io.BytesIO(files[name]), encoding="bytes").load()

    def batch(name: str) -> Batch:
        content = load(name)
        labels = content.get(b"fine_labels", content.get(b"labels"))
        images = np.asarray(content[b"data"], np.uint8).reshape(-1, 3, SIDE, SIDE)
        return images, np.asarray(labels, np.int64)

    meta = load(layout["python_names"])
    names = meta.get(b"fine_label_names", meta.get(b"label_names"))
    classes = [name.decode() for name in names or []]
    return [batch(name) for name in layout["train"]], batch(layout["test"]), classes


class _ArraysOnly(pickle.Unpickler):
    """Unpickle dictionaries, lists, strings and NumPy arrays; refuse everything else."""

    def find_class(self, module: str, name: str) -> Any:
        known = {"_reconstruct": RECONSTRUCT, "ndarray": np.ndarray, "dtype": np.dtype}
        if module.split(".")[0] == "numpy" and name in known:
            return known[name]
        raise pickle.UnpicklingError(f"its pickle asks for {module}.{name}, which is no array")
