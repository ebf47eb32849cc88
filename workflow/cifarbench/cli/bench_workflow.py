"""Time the workflow beside the trainings it runs.

example: cifarbench bench-workflow --rounds 1 --output results/bench-workflow.json
"""

import argparse

from cifarbench.bench.workflow import bench_workflow
from cifarbench.cli.arguments import add_rounds


def arguments(verb: argparse.ArgumentParser) -> None:
    add_rounds(verb)


def run(args: argparse.Namespace) -> None:
    bench_workflow(args.rounds, args.output)
