"""Say which runs a config asks for.

example: cifarbench plan config.yaml --output results/plan.json
"""

import argparse

from cifarbench.cli.arguments import a_file, add_runs, output_file, plan_of, say
from cifarbench.errors import UserError
from cifarbench.plan.checks import check_sources
from cifarbench.plan.looks import standing
from cifarbench.plan.plan import summary
from cifarbench.plan.stored import write_plan
from cifarbench.sweep.expectation import in_words, outlook


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("config", type=a_file, help="YAML file, or - for standard input")
    add_runs(verb)
    verb.add_argument("--why", action="store_true", help="why each run that would be trained would be")
    verb.add_argument("--output", type=output_file, help="where to write the plan, as JSON")


def run(args: argparse.Namespace) -> None:
    if args.why and str(args.config) == "-":
        raise UserError("--why needs a config in a file, because Snakemake reads it too")
    planned = plan_of(args.config)
    check_sources(planned.datasets)
    say(summary(planned))
    now = standing(planned, args.runs.parent)
    say(in_words(now, outlook(now, args.runs)))
    if args.why:
        from cifarbench.sweep.why import why

        say(why(planned, args.config, args.runs))
    if args.output:
        write_plan(planned, args.output)
