"""Trainings killed and stopped at random, again and again: the same call goes on, to the very same bits."""

import multiprocessing
import os
import random
import signal
import sys
import time
from contextlib import suppress
from functools import cache
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import mkdtemp

from cifarbench.cli.parser import main
from cifarbench.records.folder import RECORD
from faults.fuzz_kills import NORMALISE, run

ONE_IN = 10  # as many cases as of the fuzzers that are faster
LONGEST_SECONDS = 120
KNOBS = "--model baseline --validation-images 200 --batch-size 64 --epochs 3 --flip true --device cpu"
SAVING = ["--checkpoint-minutes", "0", "--threads", "1"]
CALLS = {
    "train": ["train", *KNOBS.split(), "--output", "run", *SAVING],
    "pack": ["pack", f"{KNOBS} --seed 0", f"{KNOBS} --seed 1", "--output", "runs", *SAVING],
}
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# Done before, stopped as a training, and stopped before it was one.
CODES = {0, 75, 130, -signal.SIGTERM}
FORKS = multiprocessing.get_context("forkserver")  # processes that begin with torch imported
FORKS.set_forkserver_preload(["cifarbench.training.train"])


@cache
def digits() -> str:
    folder = Path(mkdtemp())
    assert run(NORMALISE, folder) == 0
    return str(folder / "data/digits")


def training(name: str, folder: Path) -> BaseProcess:
    """Start a call in a process of its own and return it when the call begins."""
    begun = FORKS.Event()
    running = FORKS.Process(target=begin, args=([*CALLS[name], "--data", digits()], folder, begun))
    running.start()
    begun.wait()
    return running


def begin(call: list[str], folder: Path, begun: Event) -> None:
    os.chdir(folder)
    os.dup2(os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    try:
        begun.set()
        code = main(call)
    except KeyboardInterrupt:  # before the call takes the signal over
        code = 130
    sys.exit(code)


@cache
def undisturbed(name: str) -> tuple[Path, float]:
    """Return the folder of an undisturbed call, and the seconds that it took."""
    folder = Path(mkdtemp())
    finish(name, folder)
    again = Path(mkdtemp())  # the first one waits for imports
    began = time.monotonic()
    finish(name, again)
    return folder, time.monotonic() - began


def finish(name: str, folder: Path) -> None:
    running = training(name, folder)
    running.join()
    assert running.exitcode == 0, said(folder)


def said(folder: Path) -> str:
    return (folder / "log").read_text(encoding="utf-8")


def case(seed: int, folder: Path) -> str:
    from helpers.training import same_result

    dice = random.Random(seed)
    name = dice.choice(list(CALLS))
    expected, seconds = undisturbed(name)
    sent = [dice.choice(SIGNALS) for _ in range(dice.randint(1, 4))]
    codes = [disturbed(name, folder, number, seconds * dice.random()) for number in sent]
    finish(name, folder)
    assert "Traceback" not in said(folder), said(folder)
    files = [{path.relative_to(top) for path in top.rglob("*")} for top in (expected, folder)]
    assert files[0] == files[1], f"{name}: {files[0] ^ files[1]}"
    for path in expected.rglob(RECORD):
        whole = path.parent
        assert same_result(whole, folder / whole.relative_to(expected)), f"{name}: {whole.name} differs"
    return f"{name}: ended {sum(code != 0 for code in codes)} times before its end"


def disturbed(name: str, folder: Path, number: signal.Signals, after: float) -> int:
    running = training(name, folder)
    try:
        running.join(after)
        if running.exitcode is None and running.pid:
            with suppress(ProcessLookupError):  # ended in this very moment
                os.kill(running.pid, number)
        running.join()
    finally:
        if running.exitcode is None:
            running.kill()
    code = running.exitcode
    allowed = CODES if number != signal.SIGKILL else {0, -number}
    assert code in allowed, f"{number.name}: {code}\n{said(folder)}"
    return int(code or 0)
