"""Compare two tables of results, configuration by configuration.

example: cifarbench compare before.parquet results/runs.parquet --fail-on regression
"""

import argparse
import sys
from pathlib import Path

from cifarbench.analysis.compare import compare, text_table
from cifarbench.analysis.table import read_table


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("before", type=Path, help="table that `collect` wrote")
    verb.add_argument("after", type=Path, help="another one")
    verb.add_argument(
        "--fail-on",
        choices=["regression"],
        help="exit with 1 if a configuration is worse in the second table",
    )


def run(args: argparse.Namespace) -> None:
    comparison = compare(read_table(args.before), read_table(args.after))
    print(text_table(comparison))
    if args.fail_on and comparison.regressions:
        sys.exit(1)
