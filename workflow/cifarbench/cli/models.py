"""List the models, or the layers of one.

example: cifarbench models lenet5 --width 3
"""

import argparse
from pathlib import Path

from cifarbench.cli.arguments import at_least_one
from cifarbench.config.flags import add_knobs, chosen_knobs
from cifarbench.plan.grid import config_of


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", nargs="?", help="model, or Python file of a model of your own")
    verb.add_argument("--classes", type=at_least_one, default=10, help="number of classes (default: 10)")
    add_knobs(verb, without=("dataset", "model"))


def run(args: argparse.Namespace) -> None:
    from cifarbench.models.listing import print_layers, print_models

    if args.name is None:
        print_models(args.classes)
        return
    file = Path(args.name) if args.name.endswith(".py") else None
    knobs = {**chosen_knobs(args), "model": file.stem if file else args.name}
    print_layers(config_of(knobs, file), args.classes, file)
