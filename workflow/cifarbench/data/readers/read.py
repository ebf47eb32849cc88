"""Data sets: one reader per format, from an archive or folder to uint8 images and labels.

Archives are read member by member and never unpacked to disk.
"""

from pathlib import Path

from cifarbench.data.readers import cifar, digits, folder
from cifarbench.data.readers.source import Source

READERS = {
    "cifar10": cifar.read_cifar10,
    "cifar100": cifar.read_cifar100,
    "digits": digits.read_digits,
    "folder": folder.read_folder,
}


def read_source(format: str, path: Path | None, sha256: str | None = None) -> Source:
    """Read a data set. `path` is its archive or folder (digits need none), `sha256` what it must have."""
    return READERS[format](path, sha256)
