"""Fetch an archive and verify its checksum.

example: cifarbench download --url https://example.org/a.zip --sha256 2c26... --output data/mine/a.zip
"""

import argparse
from pathlib import Path

from cifarbench.data.download import download


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", required=True)
    verb.add_argument("--sha256", required=True, help="checksum that the file must have")
    verb.add_argument("--output", type=Path, required=True, help="file to write")


def run(args: argparse.Namespace) -> None:
    download(args.url, args.sha256, args.output)
