"""Fetch an archive and verify its checksum.

example: cifarbench download --url https://example.org/a.zip --sha256 2c26... --output data/mine/a.zip
"""

import argparse

from cifarbench.cli.arguments import add_output
from cifarbench.cli.progress import BYTES, working
from cifarbench.data.download import download


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", required=True)
    checksum = verb.add_mutually_exclusive_group(required=True)
    checksum.add_argument("--sha256", help="checksum that the file must have")
    checksum.add_argument(
        "--checksum", help="the same of any algorithm, as md5:9fb6...; none if there is none"
    )
    add_output(verb, "file to write")


def run(args: argparse.Namespace) -> None:
    given = f"sha256:{args.sha256}" if args.sha256 else args.checksum
    with working(args.output.name, BYTES) as count:
        download(args.url, None if given == "none" else given, args.output, count)
