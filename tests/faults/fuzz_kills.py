"""Verbs killed at random: what they write is whole or not there, and the same call makes it the same.

Here are the verbs that need no PyTorch; the long form kills trainings and Snakemake too.
"""

import contextlib
import io
import os
import random
import signal
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cifarbench.cli.parser import main
from helpers.repository import REPOSITORY
from helpers.synthetic import record, synthetic

NORMALISE = ["normalise", "--name", "digits", "--format", "digits", "--output", "data/digits"]
CALLS = {
    "plan": ["plan", str(REPOSITORY / "config.yaml"), "--output", "plan.json"],
    "normalise": NORMALISE,
    "collect": ["collect", "runs.json", "--output", "runs.parquet"],
}


def prepare(folder: Path, name: str) -> None:
    """Write what the verb reads."""
    if name != "collect":
        return
    from cifarbench.plan.stored import write_plan
    from cifarbench.records.record import write_record

    plan, _ = synthetic(configurations=5, seeds=2)
    write_plan(plan, folder / "runs.json")
    for position, run in enumerate(plan.runs):
        write_record(record(plan, position), folder / "results/runs" / run.id)


def run(call: list[str], folder: Path) -> int:
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return main(call)
    finally:
        os.chdir(before)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@cache
def undisturbed(name: str) -> tuple[dict[str, bytes], float]:
    """Return all files after an undisturbed call, and the seconds that it took."""
    folder = Path(mkdtemp())
    prepare(folder, name)
    run(CALLS[name], folder)  # imports take their time once
    began = time.monotonic()
    assert run(CALLS[name], folder) == 0
    return contents(folder), time.monotonic() - began


def case(seed: int, folder: Path) -> str:
    dice = random.Random(seed)
    name = dice.choice(list(CALLS))
    expected, seconds = undisturbed(name)
    prepare(folder, name)
    child = os.fork()
    if child == 0:
        os._exit(run(CALLS[name], folder))
    time.sleep(1.2 * seconds * dice.random())
    os.kill(child, signal.SIGKILL)
    killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
    for path, content in contents(folder).items():
        assert ".part/" in path or content == expected[path], f"{name}: {path} is not whole"
    assert run(CALLS[name], folder) == 0
    assert contents(folder) == expected, f"{name}: {contents(folder).keys() ^ expected.keys()}"
    return f"{name}: {'killed' if killed else 'done before'}"
