"""Write finished runs for TensorBoard or Weights & Biases, as if they had been tracked.

example: cifarbench track results --to tensorboard
"""

import argparse

from cifarbench.cli.arguments import a_folder, add_data
from cifarbench.config.benchmark import TRACKERS
from cifarbench.words import count


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("results", type=a_folder, help="folder of a sweep, or of runs")
    verb.add_argument(
        "--to",
        dest="trackers",
        action="append",
        choices=TRACKERS,
        help="may be given several times (default: tensorboard)",
    )
    add_data(verb)


def run(args: argparse.Namespace) -> None:
    from cifarbench.tracking.track import track_records

    runs = list(track_records(args.results, args.data, args.trackers or ["tensorboard"]))
    print(f"{count(len(runs), 'run')} written, each into its own folder")
    if "tensorboard" in (args.trackers or ["tensorboard"]):
        print(f"tensorboard --logdir {args.results}")
