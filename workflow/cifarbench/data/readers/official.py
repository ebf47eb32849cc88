"""Files of an official data set, each verified before it is read."""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cifarbench.data.catalogue import Entry, file_name
from cifarbench.data.download import hash_of
from cifarbench.data.readers.source import Images, Request
from cifarbench.errors import UserError
from cifarbench.files import sha256_of


def official_files(entry: Entry, request: Request) -> tuple[list[Path], str]:
    """Return the entry's files in its order, and a hash of them all.

    Raise UserError for one that is missing or is not what the entry says. The user's own `sha256`, of all
    together, takes the place of the entry's.
    """
    given = request.files()
    by_name = {path.name: path for path in given}
    names = [file_name(archive.url) for archive in entry.archives]
    if len(names) == len(given) == 1:
        by_name = {names[0]: given[0]}
    for name in names:
        if not (name in by_name and by_name[name].is_file()):
            raise UserError(f"{request.path}: {name} is missing; give a folder of {', '.join(names)}")
    files = [by_name[name] for name in names]
    digest = sha256_of(files[0])
    if len(files) > 1:
        digest = hashlib.sha256("".join(sha256_of(path) for path in files).encode()).hexdigest()
    if request.sha256 is None:
        for path, archive in zip(files, entry.archives, strict=True):
            expected = str(archive.checksum)
            if (found := hash_of(path, expected)) != expected:
                raise UserError(f"{path}: wrong checksum: {found}, expected {expected}; fetch it again")
    elif digest != request.sha256:
        raise UserError(f"{request.path}: wrong checksum: sha256 is {digest}, expected {request.sha256}")
    return files, digest


def in_colour(images: NDArray[np.uint8], size: int) -> Images:
    """Return grey (N, H, W) or colour (N, 3, H, W) images as (N, 3, size, size), bilinear."""
    if images.ndim == 3:
        images = images[:, None].repeat(3, axis=1)
    if images.shape[2:] == (size, size):
        return images
    from PIL import Image  # which a machine that only trains may lack

    resized = (
        Image.fromarray(image.transpose(1, 2, 0)).resize((size, size), Image.Resampling.BILINEAR)
        for image in images
    )
    return np.stack([np.asarray(image).transpose(2, 0, 1) for image in resized])
