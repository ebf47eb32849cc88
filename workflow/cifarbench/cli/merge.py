"""Put tables of results together into one.

example: cifarbench merge reports/runs.parquet results/runs.parquet --output all.parquet
"""

import argparse

from cifarbench.analysis.merge import merge
from cifarbench.cli.arguments import a_file, add_output


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("tables", type=a_file, nargs="+", help="files that `collect` wrote")
    add_output(verb, "Parquet file to write; may be one of them")


def run(args: argparse.Namespace) -> None:
    merge(args.tables, args.output)
