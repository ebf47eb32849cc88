"""Time our training beside a naive one, in turn.

example: cifarbench bench --models lenet5 --output results/bench.json
"""

import argparse

from cifarbench.bench.training import MODELS, bench
from cifarbench.cli.arguments import add_output, at_least_one, positive, threads


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--models", nargs="+", choices=MODELS, default=MODELS, help="models to time (default: all)"
    )
    verb.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where (default: cpu)")
    verb.add_argument(
        "--rounds", type=at_least_one, default=3, help="times that each way takes its turn (default: 3)"
    )
    verb.add_argument("--seconds", type=positive, default=4, help="training timed in each turn (default: 4)")
    verb.add_argument("--threads", type=threads, default=2, help="processor threads to use (default: 2)")
    verb.add_argument(
        "--profile", action="store_true", help="also tell where the time of the fastest way goes"
    )
    add_output(verb, "JSON file to write")


def run(args: argparse.Namespace) -> None:
    if args.device == "cuda":
        from cifarbench.training.device import choose_device

        choose_device(args.device)
    bench(args.models, args.rounds, args.seconds, args.threads, args.device, args.output, args.profile)
