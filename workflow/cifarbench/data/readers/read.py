"""Data sets: one reader per layout of files, from an archive or folder to uint8 images and labels.

Archives are read member by member and never unpacked to disk.
"""

from importlib import import_module
from pathlib import Path

from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.readers.source import Source


def read_source(format: str, path: Path | None, sha256: str | None = None) -> Source:
    """Read a data set. `path` is its archive or folder (digits need none), `sha256` what it must have."""
    entry = CATALOGUE[format]
    reader = import_module(f"cifarbench.data.readers.{entry.reader}")
    source: Source = reader.read(entry, path, sha256)
    return source
