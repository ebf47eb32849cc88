"""Render the report.

example: cifarbench report results/plan.json results/runs.parquet --output reports
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from pandas import DataFrame

from cifarbench.analysis.pictures import pictures
from cifarbench.analysis.table import collect, read_parquet, read_results, read_table
from cifarbench.cli.arguments import a_file, a_folder, add_data, add_output_folder, add_plan, add_runs
from cifarbench.plan.plan import Plan
from cifarbench.plan.stored import read_plan
from cifarbench.records.evaluated import read_all_evaluated
from cifarbench.records.speed import read_speed
from cifarbench.records.verified import read_verified
from cifarbench.report.page import render


def arguments(verb: argparse.ArgumentParser) -> None:
    add_plan(verb)
    verb.add_argument(
        "table",
        type=a_file,
        nargs="?",
        help="file that `collect` wrote (default: collect what is done, and pick the pictures)",
    )
    add_runs(verb)
    add_data(verb)
    verb.add_argument("--baseline", type=a_file, help="another table, to be compared with")
    verb.add_argument("--pictures", type=a_file, help="file that `pictures` wrote, shown if it is there")
    verb.add_argument("--speed", type=a_file, help="file that `bench` wrote, shown if it is there")
    verb.add_argument(
        "--evaluated", type=a_folder, help="folder that `evaluate` wrote to, shown if it is there"
    )
    add_output_folder(verb)


def run(args: argparse.Namespace) -> None:
    plan = read_plan(args.plan)
    if args.table is None:
        table, shown = done_so_far(plan, args.runs, args.data)
    else:
        table = read_results(plan, args.table)
        there = args.pictures and args.pictures.exists()
        shown = read_parquet(args.pictures, "cifarbench pictures") if there else None
    speed = read_speed(args.speed) if args.speed and args.speed.exists() else None
    baseline = read_table(args.baseline) if args.baseline else None
    evaluated = read_all_evaluated(args.evaluated) if args.evaluated else ()
    verified = read_verified(args.table.parent if args.table else args.runs.parent)
    render(plan, table, args.output, speed, baseline, shown, evaluated, verified)


def done_so_far(plan: Plan, runs: Path, data: Path) -> tuple[DataFrame, DataFrame]:
    """Collect the runs that are done, and pick their pictures, as if both had been written and read."""
    with TemporaryDirectory() as folder:
        table, picked = Path(folder, "runs.parquet"), Path(folder, "pictures.parquet")
        collect(plan, runs, table)
        pictures(plan, read_table(table), runs, data, picked)
        return read_table(table), read_parquet(picked, "cifarbench pictures")
