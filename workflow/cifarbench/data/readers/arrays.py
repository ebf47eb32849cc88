"""CIFAR-10.1 (Recht et al., 2018): new test images for CIFAR-10, in two NumPy files, images and labels.

https://github.com/modestyachts/CIFAR-10.1 describes them: (N, 32, 32, 3) bytes, and N classes. They are for
tests alone (`extra_tests`, which takes all), so the split, which every data set has, is drawn.
"""

import numpy as np

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour, official_files
from cifarbench.data.readers.source import Request, Source
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError


def read(entry: Entry, request: Request) -> Source:
    files, sha256 = official_files(entry, request)
    classes = list(entry.layout["classes"])
    try:
        pixels, labels = (np.load(path, allow_pickle=False) for path in files)
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 32, 32, 3):
            raise ValueError(f"images are {pixels.dtype} {pixels.shape}, and there are {len(labels)} labels")
        if not (labels.min() >= 0 and labels.max() < len(classes)):
            raise ValueError(f"labels are {labels.min()} to {labels.max()}")
    except Exception as error:  # NumPy's format can be broken in many ways
        raise UserError(
            f"{request.path}: is not laid out as CIFAR-10.1 is: {error}; fetch it again"
        ) from None
    images = in_colour(pixels.transpose(0, 3, 1, 2), request.options.image_size)
    labels = labels.astype(np.int64)
    train, test = stratified_split(labels, len(labels) // 5, seed=0)
    return Source(
        images[train], labels[train], images[test], labels[test], classes, sha256, test_was_drawn=True
    )
