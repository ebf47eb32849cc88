"""Pick the test images that say most of where models fail.

example: cifarbench pictures results/plan.json results/runs.parquet --output results/pictures.parquet
"""

import argparse

from cifarbench.analysis.pictures import pictures
from cifarbench.analysis.table import read_table
from cifarbench.cli.arguments import add_data, add_output, add_plan, add_runs, add_table
from cifarbench.plan.stored import read_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    add_plan(verb)
    add_table(verb)
    add_runs(verb)
    add_data(verb)
    add_output(verb, "Parquet file to write")


def run(args: argparse.Namespace) -> None:
    pictures(read_plan(args.plan), read_table(args.table), args.runs, args.data, args.output)
