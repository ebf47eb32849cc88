"""CIFAR-10-C (Hendrycks and Dietterich, 2019): the test images of CIFAR-10, each corrupted in many ways.

https://zenodo.org/records/2535967 has it, a tar: of each corruption a NumPy file, (N, 32, 32, 3) bytes, the
weakest severity first, and N labels that hold for all of them. They are for tests alone (`extra_tests`).
"""

import io
import tarfile
from pathlib import PurePosixPath

import numpy as np

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour, official_files
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.errors import UserError


def read(entry: Entry, request: Request) -> Source:
    [path], sha256 = official_files(entry, request)
    corruptions, severities = entry.layout["corruptions"], entry.layout["severities"]
    classes, side = list(entry.layout["classes"]), request.options.image_size
    try:
        with tarfile.open(path) as archive:
            labels = _array(archive, "labels").astype(np.int64)
            of_each, rest = divmod(len(labels), severities)
            if rest or not (labels.min() >= 0 and labels.max() < len(classes)):
                raise ValueError(f"{len(labels)} labels are {labels.min()} to {labels.max()}")
            images: Images = np.empty((len(corruptions), len(labels), 3, side, side), np.uint8)
            for place, name in zip(images, corruptions, strict=True):  # 154 MB each in the real one
                place[:] = in_colour(_pixels(archive, name, labels), side)
    except Exception as error:  # as in stl10
        raise UserError(f"{path}: is not laid out as CIFAR-10-C is: {error}; fetch it again") from None
    return Source(
        train_images=images[0, :0],
        train_labels=labels[:0],
        test_images=images.reshape(-1, 3, side, side),
        test_labels=np.tile(labels, len(corruptions)),
        classes=classes,
        sha256=sha256,
        test_was_drawn=False,
        test_groups={f"{name}/{n}": of_each for name in corruptions for n in range(1, severities + 1)},
    )


def _pixels(archive: tarfile.TarFile, name: str, labels: Labels) -> Images:
    pixels = _array(archive, name)
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 32, 32, 3):
        raise ValueError(f"{name} is {pixels.dtype} {pixels.shape}, and there are {len(labels)} labels")
    return pixels.transpose(0, 3, 1, 2)


def _array(archive: tarfile.TarFile, name: str) -> np.ndarray:
    found = (member for member in archive if PurePosixPath(member.name).name == f"{name}.npy")
    member = next(found, None)
    file = archive.extractfile(member) if member else None
    if file is None:
        raise ValueError(f"{name}.npy is missing")
    return np.asarray(np.load(io.BytesIO(file.read()), allow_pickle=False))
