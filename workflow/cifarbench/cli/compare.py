"""Compare two tables of results, configuration by configuration.

example: cifarbench compare before.parquet results/runs.parquet --fail-on regression
"""

import argparse
import sys

from cifarbench.analysis.compare import MARGIN, compare, text_table
from cifarbench.analysis.table import read_table
from cifarbench.cli.arguments import a_file, points, say
from cifarbench.errors import UserError
from cifarbench.records.verified import read_verified


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("before", type=a_file, help="table that `collect` wrote")
    verb.add_argument("after", type=a_file, help="another one")
    verb.add_argument(
        "--margin",
        type=points,
        default=MARGIN,
        metavar="POINTS",
        help=f"points of accuracy that do not matter (default: {100 * MARGIN:g})",
    )
    verb.add_argument(
        "--fail-on",
        choices=["regression"],
        help="exit with 1 if an accuracy differs and is worse in the second table",
    )


def run(args: argparse.Namespace) -> None:
    verified = read_verified(args.before.parent).with_new(read_verified(args.after.parent).verifications)
    comparison = compare(read_table(args.before), read_table(args.after), args.margin, verified)
    if not comparison.compared:
        raise UserError(f"{args.before} and {args.after} have no configuration in common that has a record")
    say(text_table(comparison))
    if args.fail_on and comparison.regressions:
        sys.exit(1)
