"""Say how a sweep stands: what is done, running, waiting or failed, and why.

example: cifarbench status results/plan.json --watch
"""

import argparse
import json
from contextlib import suppress
from pathlib import Path

from rich.text import Text

from cifarbench.cli.arguments import a_file, a_folder, plan_of
from cifarbench.errors import UserError
from cifarbench.plan.looks import standing
from cifarbench.plan.stored import read_whole_plan
from cifarbench.sweep.snakemake_internals import left_locked, unlock_hint
from cifarbench.sweep.status import RecordCache, retry_command, sweep_status
from cifarbench.sweep.view import as_json, console_here, show, watch


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "plan",
        type=a_file,
        nargs="?",
        default=Path("results/plan.json"),
        help="file that `plan` wrote, or a config (default: results/plan.json)",
    )
    verb.add_argument(
        "--runs",
        type=a_folder,
        help="folder with one folder a run (default: `runs` beside plan.json, for a config results/runs)",
    )
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="on a terminal, go on until all is done")
    how.add_argument("--json", action="store_true", help="everything about every run, for scripts")


def run(args: argparse.Namespace) -> None:
    is_plan, cache, console = args.plan.suffix == ".json", RecordCache(), console_here()
    planned = read_whole_plan(args.plan) if is_plan else plan_of(args.plan)
    runs = args.runs or (args.plan.parent / "runs" if is_plan else Path("results/runs"))
    if args.watch and not console.is_terminal:
        raise UserError("--watch needs a terminal; leave it out, or take --json")
    if args.watch:
        with suppress(KeyboardInterrupt):
            watch(lambda: sweep_status(standing(planned, runs.parent), runs, cache), console)
    now = sweep_status(standing(planned, runs.parent), runs, cache)
    retry = retry_command(now, runs, None if is_plan else args.plan)
    if args.json:
        print(json.dumps(as_json(now, retry), indent=1))
    else:
        show(now, retry, console)
        if left_locked(runs.absolute().parent.parent):
            console.print(Text(unlock_hint(runs.absolute().parent.parent)), soft_wrap=True)
