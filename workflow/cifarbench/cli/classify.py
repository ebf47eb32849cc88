"""Classify pictures with trained models.

example: cifarbench classify cat.jpg holiday/ --run best
"""

import argparse
import json

from cifarbench.cli.arguments import add_trained, at_least_one
from cifarbench.errors import UserError
from cifarbench.use.runs import choose


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "pictures", nargs="+", metavar="PICTURE", help="file, folder, glob, or - for standard input"
    )
    add_trained(verb)
    verb.add_argument("--top", type=at_least_one, default=3, help="classes to tell (default: 3)")
    verb.add_argument("--json", action="store_true", help="everything, for scripts")


def run(args: argparse.Namespace) -> None:
    chosen = choose(args.runs, args.run_ids or ["best"], args.dataset)
    from cifarbench.use.classify import as_json, ask, in_lines, read_pictures
    from cifarbench.use.predictor import load, reading

    if len({reading(run.record).model_dump_json() for run in chosen}) > 1:
        raise UserError(
            "run: these were trained on images of different sizes or backgrounds; ask them one at a time"
        )
    names, images, faults = read_pictures(args.pictures, reading(chosen[0].record))
    answers = [ask(load(run, args.data, args.model_files), images) for run in chosen] if names else []
    if args.json:
        print(json.dumps(as_json(names, answers, faults, args.top), indent=1))
    elif names:
        print("\n".join(in_lines(names, answers, args.top)))
    if faults:
        raise UserError("\n".join(faults))
