"""Time the plan, the table and the status of up to 10,000 runs.

example: cifarbench bench-scale --rounds 1 --output results/bench-scale.json
"""

import argparse

from cifarbench.bench.scale import bench_scale
from cifarbench.cli.arguments import add_rounds


def arguments(verb: argparse.ArgumentParser) -> None:
    add_rounds(verb)


def run(args: argparse.Namespace) -> None:
    bench_scale(args.rounds, args.output)
