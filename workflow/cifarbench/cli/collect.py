"""Gather the records of a plan into one table.

example: cifarbench collect results/plan.json --output results/runs.parquet
"""

import argparse

from cifarbench.analysis.table import collect
from cifarbench.cli.arguments import add_output, add_plan, add_runs
from cifarbench.cli.progress import RUNS, working
from cifarbench.plan.stored import read_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    add_plan(verb)
    add_runs(verb)
    add_output(verb, "Parquet file to write")


def run(args: argparse.Namespace) -> None:
    plan = read_plan(args.plan)
    with working("collecting", RUNS, len(plan.runs)) as count:
        collect(plan, args.runs, args.output, count.over)
