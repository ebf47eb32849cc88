"""Street View House Numbers (Netzer et al., 2011), format 2: 32x32 digits in colour, in two MATLAB files.

http://ufldl.stanford.edu/housenumbers/ describes them: X (32, 32, 3, N), and y (N, 1), where 10 means 0.
"""

from pathlib import Path

import numpy as np

from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.official import in_colour, official_files
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.errors import UserError


def read(entry: Entry, request: Request) -> Source:
    files, sha256 = official_files(entry, request)
    train, test = (read_mat(path, request.options.image_size) for path in files)
    return Source(*train, *test, [str(digit) for digit in range(10)], sha256, test_was_drawn=False)


def read_mat(path: Path, size: int) -> tuple[Images, Labels]:
    from scipy.io import loadmat  # slow to import, and only this format needs it

    try:
        content = loadmat(path)
        images = content["X"].transpose(3, 2, 0, 1)  # (32, 32, 3, N) -> (N, 3, 32, 32)
        labels = content["y"].astype(np.int64).ravel() % 10
    except Exception as error:  # MATLAB's format can be broken in many ways
        raise UserError(f"{path}: is not laid out as SVHN is: {error}; fetch it again") from None
    return in_colour(np.ascontiguousarray(images), size), labels
