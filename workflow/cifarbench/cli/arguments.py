"""What several verbs share: the parser, the arguments of a training, and how a config is read."""

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from cifarbench.bundle.task import positive
from cifarbench.config.benchmark import TRACKERS, Config, locate, parse
from cifarbench.config.flags import add_knobs
from cifarbench.config.reading import read
from cifarbench.errors import printable
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.training.stopping import Interrupted, on_stop, stop_now

INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: try again
MOST_THREADS = 1024
HIGHEST_PORT = 65535


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the list of all flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        line = " ".join(f"{self.prog}: error: {message}; see {self.prog} --help".split())
        self.exit(2, f"{printable(line)}\n")


def say(text: str) -> None:
    """Print what may hold texts of strangers, such as records and logs."""
    print(printable(text))


def a_path(text: str) -> Path:
    """Read a path, for argparse. Without this an empty word, as of a variable that is not set, is `.`."""
    if not text:
        raise argparse.ArgumentTypeError("'' is not allowed: it must be a path")
    return Path(text)


def a_file(text: str) -> Path:
    """Read the path of a file, for argparse, which need not be there; `-` and pipes are files."""
    found = a_path(text)
    if found.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; give a file")
    return found


def a_folder(text: str) -> Path:
    """Read the path of a folder, for argparse, which need not be there."""
    found = a_path(text)
    if found.exists() and not found.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; give a folder")
    return found


def output_file(text: str) -> Path:
    """Read where a file is to be written, for argparse: said before the work, not after an hour of it."""
    return writable(a_file(text))


def output_folder(text: str) -> Path:
    return writable(a_folder(text))


def writable(output: Path) -> Path:
    """Refuse what lies below a file, or in a folder that this user may not change."""
    there = next(above for above in output.absolute().parents if above.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"'{output}' lies below a file, {there}; choose another folder")
    if not os.access(there, os.W_OK):
        raise argparse.ArgumentTypeError(f"'{output}' cannot be written: {there} is not yours to change")
    return output


def threads(text: str) -> int:
    """Read a number of threads, for argparse; many more than there are processors crash PyTorch."""
    count = at_least_one(text)
    if count > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be {MOST_THREADS} or less")
    return count


def at_least_one(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be a whole number of 1 or more")
    return int(text)


def port(text: str) -> int:
    """Read a TCP port, for argparse."""
    if not (text.isdecimal() and 0 < int(text) <= HIGHEST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be from 1 to {HIGHEST_PORT}")
    return int(text)


def points(text: str) -> float:
    """Read points of accuracy as a share, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 100:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not allowed: it must be points of accuracy, between 0 and 100"
        )
    return value / 100


def config_in(path: Path) -> Config:
    """Read a config and find the files that it names; `-` is standard input."""
    parsed = parse(read(path), "config" if str(path) == "-" else str(path))
    return locate(parsed, [Path(), path.parent])


def plan_of(config: Path) -> Plan:
    """Read a config and expand it; `-` is standard input."""
    return make_plan(config_in(config))


def add_plan(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("plan", type=a_file, help="file that `plan` wrote")


def add_table(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("table", type=a_file, help="file that `collect` wrote")


def add_runs(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--runs", type=a_folder, default=Path("results/runs"), help="folder with one folder a run"
    )


def add_trained(verb: argparse.ArgumentParser) -> None:
    """Add which trained runs to use."""
    add_runs(verb)
    verb.add_argument(
        "--run",
        dest="run_ids",
        metavar="RUN",
        action="append",
        help="id or folder of a run, all, or best: that with the highest validation accuracy; "
        "may be given several times (default: best)",
    )
    verb.add_argument("--dataset", help="choose best or all among the runs of this data set")
    add_data(verb)
    verb.add_argument(
        "--model-file",
        dest="model_files",
        type=a_file,
        action="append",
        default=[],
        help="Python file of a model of your own; may be given several times, each run finds its own",
    )


def add_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--data", type=a_folder, default=Path("data"), help="folder with one folder a data set")


def add_rounds(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--rounds", type=at_least_one, default=3, help="times that all is measured (default: 3)"
    )
    add_output(verb, "JSON file to write")


def add_output(verb: argparse.ArgumentParser, help: str) -> None:
    """Add the file that a verb writes."""
    verb.add_argument("--output", type=output_file, required=True, help=help)


def add_output_folder(verb: argparse.ArgumentParser, help: str = "folder to write") -> None:
    verb.add_argument("--output", type=output_folder, required=True, help=help)


def add_training(verb: argparse.ArgumentParser) -> None:
    """Add how to train, which does not change what comes out."""
    verb.add_argument("--data", type=a_folder, required=True, help="folder that `normalise` wrote")
    verb.add_argument("--threads", type=threads, default=1, help="processor threads to use (default: 1)")
    verb.add_argument(
        "--checkpoint-minutes",
        type=lambda text: 0.0 if text == "0" else positive(text),
        default=5,
        help="save this often, 0 at each step; the same command goes on from there (default: 5)",
    )
    verb.add_argument(
        "--track",
        action="append",
        choices=TRACKERS,
        default=[],
        help="also write how the training goes for this tracker; may be given several times",
    )
    verb.add_argument("--track-gradients", action="store_true", help="the norm of the gradient, too")


def listeners(args: argparse.Namespace, folder: Path) -> list[Any]:
    """Return who is told how the training of the run in `folder` goes."""
    from cifarbench.cli.progress import TrainingBar, terminal
    from cifarbench.tracking.track import make_trackers

    console = terminal()
    bar = [TrainingBar(console)] if console else []
    return [*make_trackers(args.track, folder, args.track_gradients), *bar]


def add_run(verb: argparse.ArgumentParser) -> None:
    """Add what to train."""
    verb.add_argument("--model-file", type=a_file, help="Python file of a model of your own")
    add_knobs(verb, without=("dataset",))  # what --data holds has a name


@contextmanager
def stopping_softly(verb: str) -> Iterator[None]:
    """When a signal asks to stop, exit in one line and with the code that means: try again."""
    try:
        with on_stop(stop_now):
            yield
    except Interrupted as stop:
        print(f"cifarbench {verb}: {stop}", file=sys.stderr)
        sys.exit(INTERRUPTED)
