"""MNIST and what is laid out like it: four gzipped files of images and labels, 28x28 grey.

A file begins with two zero bytes, the type of its values (8: unsigned bytes) and the number of its
dimensions, then has each as four bytes, high byte first (http://yann.lecun.com/exdb/mnist/).
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour, official_files
from cifarbench.data.readers.source import Request, Source
from cifarbench.errors import UserError

UNSIGNED_BYTES = 8


def read(entry: Entry, request: Request) -> Source:
    files, sha256 = official_files(entry, request)
    train_images, train_labels, test_images, test_labels = (read_idx(path) for path in files)
    size = request.options.image_size
    return Source(
        in_colour(train_images, size),
        train_labels.astype(np.int64),
        in_colour(test_images, size),
        test_labels.astype(np.int64),
        entry.layout["classes"],
        sha256,
        test_was_drawn=False,
    )


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one file. Raise UserError if it is not what it should be."""
    try:
        content = gzip.decompress(path.read_bytes())
        zeros, kind, dimensions = struct.unpack_from(">HBB", content)
        shape = struct.unpack_from(f">{dimensions}I", content, 4)
        start = 4 + 4 * dimensions
        if (zeros, kind) != (0, UNSIGNED_BYTES) or len(content) != start + math.prod(shape):
            raise ValueError("its header does not fit its content")
    except Exception as error:  # gzip, zlib and struct fail each in ways of their own
        raise UserError(f"{path}: is no IDX file: {error}; fetch it again") from None
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
