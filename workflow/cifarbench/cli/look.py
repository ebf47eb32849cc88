"""Look which questions of a plan are still open, so that only they get more seeds.

example: cifarbench look results/plan.json --number 1 --output results/looks/1.json
"""

import argparse

from cifarbench.analysis.looks import look
from cifarbench.analysis.table import gathered
from cifarbench.cli.arguments import add_output, add_plan, add_runs, at_least_one
from cifarbench.files import write_text
from cifarbench.plan.looks import as_of, read_looks
from cifarbench.plan.stored import read_whole_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    add_plan(verb)
    add_runs(verb)
    verb.add_argument("--number", type=at_least_one, required=True, help="of the look, from 1")
    add_output(verb, "JSON file to write")


def run(args: argparse.Namespace) -> None:
    before = read_looks(args.plan.parent)[: args.number - 1]
    plan = as_of(read_whole_plan(args.plan), before)
    found = look(plan, gathered(plan.runs, args.runs))
    write_text(args.output, found.model_dump_json(indent=1) + "\n")
