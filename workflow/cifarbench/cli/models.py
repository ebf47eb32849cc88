"""List the models, or the layers of one.

example: cifarbench models --library torchvision --search shufflenet --image-size 64
"""

import argparse
from pathlib import Path

from cifarbench.cli.arguments import at_least_one
from cifarbench.config.flags import add_knobs, chosen_knobs
from cifarbench.errors import UserError
from cifarbench.models.libraries import LIBRARIES
from cifarbench.plan.grid import config_of


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", nargs="?", help="model, or Python file of a model of your own")
    verb.add_argument("--library", choices=LIBRARIES, help="list the models of this library")
    verb.add_argument("--search", default="", metavar="TEXT", help="list those with this text in their name")
    verb.add_argument("--classes", type=at_least_one, default=10, help="number of classes (default: 10)")
    add_knobs(verb, without=("dataset", "model"))


def run(args: argparse.Namespace) -> None:
    import torch

    from cifarbench.models.listing import print_layers, print_library, print_models

    if args.search and not args.library:
        raise UserError(f"search: {args.search!r} needs --library {' or '.join(LIBRARIES)}")
    if args.library and args.name:
        raise UserError(f"name: {args.name!r} has no use beside --library; remove one")
    torch.set_num_threads(1)  # one image leaves threads nothing but to wait for each other
    if args.library:
        print_library(args.library, args.search, args.classes, config_of(chosen_knobs(args), None))
        return
    if args.name is None:
        print_models(args.classes, config_of(chosen_knobs(args), None))
        return
    file = Path(args.name) if args.name.endswith(".py") else None
    knobs = {**chosen_knobs(args), "model": file.stem if file else args.name}
    print_layers(config_of(knobs, file), args.classes, file)
