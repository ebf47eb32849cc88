"""What a reader returns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIZE = 32  # pixels, of each side

Images = NDArray[np.uint8]  # (N, 3, 32, 32)
Labels = NDArray[np.int64]  # (N,)


class Source(NamedTuple):
    """A data set as it was read. `sha256` is of the archive, or of all names and contents of a folder."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: list[str]
    sha256: str
    test_was_drawn: bool
