"""Judge published claims by the records.

example: cifarbench claims results/plan.json results/runs.parquet
"""

import argparse

from cifarbench.analysis.judged import judge_plan, text_table
from cifarbench.analysis.table import read_results
from cifarbench.cli.arguments import add_plan, add_table, say
from cifarbench.plan.stored import read_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    add_plan(verb)
    add_table(verb)


def run(args: argparse.Namespace) -> None:
    plan = read_plan(args.plan)
    say(text_table(judge_plan(plan, read_results(plan, args.table))))
