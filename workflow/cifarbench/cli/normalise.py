"""Turn a data set into one file of images and a manifest.

example: cifarbench normalise --name digits --format digits --output data/digits
"""

import argparse
from pathlib import Path

from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.normalise import normalise


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--name", required=True, help="name of the data set")
    verb.add_argument("--format", required=True, choices=tuple(CATALOGUE))
    verb.add_argument("--source", type=Path, help="archive or folder; digits need none")
    verb.add_argument("--sha256", help="checksum that the archive must have")
    verb.add_argument("--output", type=Path, required=True, help="folder to write")


def run(args: argparse.Namespace) -> None:
    normalise(args.name, args.format, args.source, args.sha256, args.output)
