"""Train what a bundle holds, where it was carried to, and bring the results together in one zip.

Exit codes: 0 all trained, 1 a run failed, 2 the call or its input is wrong, 75 stopped and saved.
"""

import argparse
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from cifarbench.bundle.images import have_images
from cifarbench.bundle.results import restore_results, write_results
from cifarbench.bundle.task import TASK, Task, Training, positive
from cifarbench.config.ids import run_id
from cifarbench.errors import PrintableFormatter, UserError, in_words, printable
from cifarbench.records.folder import PACKED, RECORD, WEIGHTS
from cifarbench.training.device import choose_device
from cifarbench.training.lease import VISIBLE, lease
from cifarbench.training.pack import Job, train_pack
from cifarbench.training.stopping import Interrupted, on_stop, stop_now
from cifarbench.words import count

INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: try again
WRITE_SECONDS = 60.0  # between two zips, which are written whole

log = logging.getLogger(__name__)


def main(argv: Sequence[str], archive: Path, unpacked: Path) -> int:
    """Train the bundle `archive`, of which all but the images lies in `unpacked`; return the exit code."""
    logging.basicConfig(level="INFO")
    for handler in logging.getLogger().handlers:
        handler.setFormatter(PrintableFormatter())
    task = Task.model_validate_json((unpacked / TASK).read_text(encoding="utf-8"))
    args = parser(task, archive.name).parse_args(argv)
    try:
        with on_stop(stop_now), time_limit(args.minutes):
            return Away(task, args, archive, unpacked).train()
    except Interrupted as stop:
        print(f"{archive.name}: {stop}", file=sys.stderr)
        return INTERRUPTED
    except (UserError, OSError, ModuleNotFoundError) as error:
        print(printable(f"{archive.name}: error: {in_words(error)}"), file=sys.stderr)
        return 2


def parser(task: Task, program: str) -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog=program,
        allow_abbrev=False,
        description=f"{task.title}: {count(len(task.runs), 'run')} to train",
        epilog=f"example: python {program} --data cifar10.tar.gz --output back.zip --minutes 9",
    )
    found.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="[NAME=]PATH",
        help="archive or folder of a data set, or the folder that `cifarbench normalise` wrote of it; "
        f"may be given several times, for {', '.join(task.datasets)}",
    )
    found.add_argument("--output", type=file, default=Path("back.zip"), help="zip to write and to go on from")
    found.add_argument("--minutes", type=positive, default=task.minutes, help="save and stop after so long")
    found.add_argument("--threads", type=int, default=1, choices=range(1, 1025), metavar="N")
    found.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="stop if it is not there"
    )
    return found


def file(text: str) -> Path:
    """Read the path of a file, for argparse."""
    if not Path(text).name or Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be a file, such as back.zip")
    return Path(text)


@contextmanager
def time_limit(after: float | None) -> Iterator[None]:
    """When the time is up, do as if a signal asked to stop."""
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 60 * after if after else 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Away:
    """A bundle at work: where things lie, and how far it is."""

    def __init__(self, task: Task, args: argparse.Namespace, archive: Path, unpacked: Path) -> None:
        self.task, self.args, self.archive, self.unpacked = task, args, archive, unpacked
        self.work = args.output.with_name(f"{args.output.name}.work")
        self.runs = {run_id(run.config): run for run in task.runs}
        self.written_at = -math.inf

    def folder(self, run: str) -> Path:
        return self.work / "runs" / run / PACKED

    @property
    def done(self) -> list[str]:
        return [run for run in self.runs if (self.folder(run) / RECORD).exists()]

    def train(self) -> int:
        given = by_name(self.args.data, self.task.datasets)
        with alone(self.work), self.device():
            restore_results(self.args.output, self.work / "runs", self.runs)
            log.info("%d of %s done", len(self.done), count(len(self.runs), "run"))
            for name, wanted in self.task.datasets.items():
                have_images(
                    name, wanted, given.get(name), self.archive, self.unpacked, self.work / "data" / name
                )
            try:
                for run, training in self.runs.items():
                    self.train_one(run, training)
            finally:
                self.write()
        return self.outcome()

    @contextmanager
    def device(self) -> Iterator[None]:
        """Hold the device that is asked for. Raise UserError if it is not there."""
        if self.args.device == "cpu":
            os.environ[VISIBLE] = ""
        with nullcontext() if self.args.device == "cpu" else lease():
            choose_device(self.args.device)
            yield

    def train_one(self, run: str, training: Training) -> None:
        file = self.unpacked / training.model_file if training.model_file else None
        config = training.placed(self.unpacked)
        data = self.work / "data" / config.dataset
        train_pack([Job(config, file)], data, self.work / "runs", self.args.threads, WRITE_SECONDS)
        (self.folder(run) / WEIGHTS).unlink(missing_ok=True)  # they stay here, and would fill a small disk
        if time.monotonic() - self.written_at >= WRITE_SECONDS:
            self.write()

    def write(self) -> None:
        write_results(self.args.output, self.work / "runs", self.runs)
        self.written_at = time.monotonic()

    def outcome(self) -> int:
        failed = [run for run in self.runs if run not in self.done]
        print(f"{len(self.done)} of {count(len(self.runs), 'run')} done; results in {self.args.output}")
        for run in failed:
            print(f"failed: {run}; its log is in {self.args.output}", file=sys.stderr)
        return 1 if failed else 0


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Raise UserError while another process trains in the same folder."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            yield
    except Timeout:
        raise UserError(f"{work}: another process trains there; give this one another --output") from None


def by_name(given: Sequence[str], names: Mapping[str, object]) -> dict[str, Path]:
    """Return the paths in NAME=PATH by name; a single data set needs no name. Raise UserError."""
    found = {}
    for text in given:
        name, equals, path = text.partition("=")
        if not (equals and name in names):
            name, path = next(iter(names)), text
            if len(names) > 1:
                raise UserError(f"--data {text!r}: of which data set? Write NAME=PATH: {', '.join(names)}")
        found[name] = Path(path)
        if not found[name].exists():
            raise UserError(f"--data: {path} does not exist; give the archive or folder of data set {name!r}")
    return found
