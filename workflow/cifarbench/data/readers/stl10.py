"""STL-10 (Coates, Lee and Ng, 2011): 96x96 images in colour, resized; those without a label are not used.

https://cs.stanford.edu/~acoates/stl10/ describes it: images one after another, each (3, 96, 96), columns
before rows; labels from 1, a byte each; the names of the classes, a line each.
"""

import tarfile

import numpy as np

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour, official_files
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.errors import UserError

SIDE = 96
FOLDER = "stl10_binary"


def read(entry: Entry, request: Request) -> Source:
    size = request.options.image_size
    [path], sha256 = official_files(entry, request)
    try:
        with tarfile.open(path) as archive:
            train, test = (_part(archive, part, size) for part in ("train", "test"))
            classes = _content(archive, "class_names.txt").decode().split()
    except Exception as error:  # as in archives, whose checks this one needs not: its checksum is right
        raise UserError(f"{path}: is not laid out as STL-10 is: {error}; fetch it again") from None
    return Source(*train, *test, classes, sha256, test_was_drawn=False)


def _part(archive: tarfile.TarFile, part: str, size: int) -> tuple[Images, Labels]:
    pixels = np.frombuffer(_content(archive, f"{part}_X.bin"), np.uint8).reshape(-1, 3, SIDE, SIDE)
    labels = np.frombuffer(_content(archive, f"{part}_y.bin"), np.uint8).astype(np.int64) - 1
    return in_colour(pixels.transpose(0, 1, 3, 2), size), labels


def _content(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(f"{FOLDER}/{name}")
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()
