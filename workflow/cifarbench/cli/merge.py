"""Put tables of results together into one.

example: cifarbench merge reports/runs.parquet results/runs.parquet --output all.parquet
"""

import argparse
from pathlib import Path

from cifarbench.analysis.merge import merge


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("tables", type=Path, nargs="+", help="files that `collect` wrote")
    verb.add_argument("--output", type=Path, required=True, help="Parquet file to write; may be one of them")


def run(args: argparse.Namespace) -> None:
    merge(args.tables, args.output)
