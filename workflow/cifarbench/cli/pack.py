"""Train several runs in one process, each with its own record.

example: cifarbench pack --data data/digits '--seed 0 --epochs 2' '--seed 1 --epochs 2'
"""

import argparse
import shlex
from contextlib import nullcontext
from functools import partial
from pathlib import Path

from cifarbench.cli.arguments import Parser, add_run, add_training, listeners, output_folder, stopping_softly
from cifarbench.config.flags import chosen_knobs
from cifarbench.plan.grid import config_of
from cifarbench.training.pack import Job


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="the knobs of a run, as one word: '--model lenet5'"
    )
    verb.add_argument(
        "--output", type=output_folder, default=Path("results/runs"), help="folder with one folder a run"
    )
    add_training(verb)


def run(args: argparse.Namespace) -> None:
    with stopping_softly(args.verb):
        train_all(args)


def train_all(args: argparse.Namespace) -> None:
    from cifarbench.data.manifest import read_manifest

    dataset = read_manifest(args.data).name
    jobs = [run_of(text, dataset) for text in args.runs]
    from cifarbench.training.lease import lease
    from cifarbench.training.pack import train_pack

    with nullcontext() if all(job.config.device == "cpu" for job in jobs) else lease():
        train_pack(
            jobs,
            args.data,
            args.output,
            args.threads,
            60 * args.checkpoint_minutes,
            partial(listeners, args),
        )


def run_of(text: str, dataset: str) -> Job:
    """Read one run of a pack."""
    own = Parser(prog="cifarbench pack")
    add_run(own)
    args = own.parse_args(shlex.split(text))
    return Job(config_of({**chosen_knobs(args), "dataset": dataset}, args.model_file), args.model_file)
