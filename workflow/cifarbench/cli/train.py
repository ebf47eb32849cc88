"""Train one run and write its record, weights and test predictions.

example: cifarbench train --model lenet5 --seed 1 --data data/digits --validation-images 200 --output /tmp/run
"""

import argparse
from contextlib import nullcontext

from cifarbench.cli.arguments import add_output_folder, add_run, add_training, listeners, stopping_softly
from cifarbench.config.flags import chosen_knobs
from cifarbench.plan.grid import config_of


def arguments(verb: argparse.ArgumentParser) -> None:
    add_output_folder(verb)
    add_training(verb)
    add_run(verb)


def run(args: argparse.Namespace) -> None:
    with stopping_softly(args.verb):
        train_or_take(args)


def train_or_take(args: argparse.Namespace) -> None:
    """Take the result of a pack if there is one; train otherwise."""
    from cifarbench.data.manifest import read_manifest
    from cifarbench.training.pack import take_packed

    knobs = {**chosen_knobs(args), "dataset": read_manifest(args.data).name}
    config = config_of(knobs, args.model_file)
    if take_packed(config, args.model_file, args.data, args.output):
        return
    from cifarbench.records.heartbeat import heartbeat
    from cifarbench.training.lease import lease
    from cifarbench.training.train import train

    one_device = nullcontext() if config.device == "cpu" else lease()
    with heartbeat(args.output), one_device:
        train(
            config,
            args.data,
            args.output,
            args.model_file,
            args.threads,
            60 * args.checkpoint_minutes,
            listeners(args, args.output),
        )
