"""scikit-learn's handwritten digits: 1,797 real images that come with the package, for trying things out."""

import hashlib

import numpy as np
from PIL import Image

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.source import Request, Source
from cifarbench.data.splits import stratified_split

TEST_IMAGES = 360


def read(_entry: Entry, request: Request) -> Source:
    """Return the digits, 8x8 grey, enlarged, in three equal channels; the test part is drawn."""
    from sklearn.datasets import load_digits  # slow to import, and only this format needs it

    bunch = load_digits()
    grey = (bunch.images * (255 / 16)).round().astype(np.uint8)
    size = (request.options.image_size,) * 2
    enlarged = [Image.fromarray(g).resize(size, Image.Resampling.BILINEAR) for g in grey]
    images = np.stack([np.asarray(e) for e in enlarged])[:, None].repeat(3, axis=1)  # (N, 3, H, W)
    labels = bunch.target.astype(np.int64)
    train, test = stratified_split(labels, TEST_IMAGES, seed=0)
    return Source(
        images[train],
        labels[train],
        images[test],
        labels[test],
        classes=[str(name) for name in bunch.target_names],
        sha256=hashlib.sha256(bunch.images.tobytes() + labels.tobytes()).hexdigest(),
        test_was_drawn=True,
    )
