"""Say how many seeds would decide what a table leaves undecided, and what training them costs.

example: cifarbench seeds results/runs.parquet --tell 0.5
"""

import argparse

from cifarbench.analysis.family import SMALLEST
from cifarbench.analysis.results import Results
from cifarbench.analysis.seeds import text
from cifarbench.analysis.table import read_results
from cifarbench.cli.arguments import a_file, add_table, at_least_one, points, say
from cifarbench.plan.stored import read_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    add_table(verb)
    verb.add_argument(
        "--plan", type=a_file, help="file that `plan` wrote (default: plan.json beside the table)"
    )
    verb.add_argument(
        "--tell",
        type=points,
        default=SMALLEST,
        metavar="POINTS",
        help=f"points of accuracy that are worth telling (default: {100 * SMALLEST:g})",
    )
    verb.add_argument(
        "--most",
        type=at_least_one,
        default=20,
        metavar="SEEDS",
        help="print the lines for a config of what so many seeds decide (default: 20)",
    )


def run(args: argparse.Namespace) -> None:
    plan = read_plan(args.plan or args.table.with_name("plan.json"))
    say(text(Results(plan, read_results(plan, args.table)), args.tell, args.most))
