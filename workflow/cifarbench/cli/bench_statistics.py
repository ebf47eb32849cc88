"""Simulate how often the rules of the report, its verdicts, `compare` and adaptive seeds err and decide.

example: cifarbench bench-statistics --output results/bench-statistics.md
"""

import argparse

from cifarbench.analysis.simulation_tables import simulated
from cifarbench.cli.arguments import add_output, at_least_one
from cifarbench.files import write_text


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--trials", type=at_least_one, default=2000, help="families drawn for each figure (default: 2000)"
    )
    add_output(verb, "Markdown file to write")


def run(args: argparse.Namespace) -> None:
    write_text(args.output, simulated(args.trials))
