"""Snakemake killed with all its jobs: after --unlock the same command ends with the same records."""

import os
import random
import signal
import subprocess
import time
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from cifarbench.records.folder import RECORD
from helpers.repository import REPOSITORY, TABLE, run, snakemake_command, write_config

ONE_IN = 20  # as many cases as of the fuzzers that are faster
LONGEST_SECONDS = 300
STRAY = (".part", ".pt", ".set-aside")


def command(folder: Path) -> list[str]:
    config = write_config(folder, {"model": "baseline", "epochs": 8, "seed": [0, 1]})
    return [TABLE, "--configfile", config]


@cache
def undisturbed() -> tuple[Path, float]:
    """Return the folder of an undisturbed call, and the seconds that it took."""
    folder = Path(mkdtemp())
    began = time.monotonic()
    run(folder, *command(folder))
    return folder, time.monotonic() - began


def case(seed: int, folder: Path) -> str:
    from helpers.training import same_result

    expected, seconds = undisturbed()
    call = command(folder)
    killed = kill_after(seconds * random.Random(seed).random(), snakemake_command(folder, *call))
    left = len(list(folder.glob(f"results/runs/*/{RECORD}")))
    run(folder, *call, "--unlock")
    run(folder, *call)
    for path in expected.glob(f"results/runs/*/{RECORD}"):
        whole = path.parent
        assert same_result(whole, folder / whole.relative_to(expected)), f"{whole.name} differs"
    stray = [path for path in (folder / "results").rglob("*") if path.suffix in STRAY]
    assert not stray, stray
    return f"{'killed' if killed else 'done before'}, {left} of 2 runs done"


def kill_after(seconds: float, call: list[str]) -> bool:
    """Kill all processes of a call's own group; tell whether the call was still there."""
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(call, stdout=quiet, stderr=quiet, cwd=REPOSITORY, start_new_session=True)
    try:
        time.sleep(seconds)
        return running.poll() is None
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()
