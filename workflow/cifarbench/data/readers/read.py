"""Data sets: one reader per layout of files, from an archive or folder to uint8 images and labels.

Archives are read member by member and never unpacked to disk.
"""

from importlib import import_module

from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.readers.source import Request, Source


def read_source(format: str, request: Request) -> Source:
    entry = CATALOGUE[format]
    reader = import_module(f"cifarbench.data.readers.{entry.reader}")
    source: Source = reader.read(entry, request)
    return source
