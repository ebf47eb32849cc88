"""How a sweep stands: `cifarbench status [PLAN]`.

Only reads files that trainings write, so it works beside a running workflow, for every scheduler, and for
runs trained by hand. A run is

- done or diverged, if it has a record;
- running, if its heartbeat is fresh (see `heartbeat`) or its log was just opened;
- interrupted, if it has saved itself or was stopped before it could: the same snakemake command goes on;
- failed, if its log ends otherwise;
- waiting, if nothing of it is there: not begun, or queued.

For a minute and a half after a kill it still counts as running.
"""

import os
import re
import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from cifarbench.errors import UserError, printable
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import CHECKPOINT, LOG, PACKED, RECORD
from cifarbench.records.heartbeat import SILENT_SECONDS, alive_on
from cifarbench.records.record import Record, read_record
from cifarbench.records.verified import read_verified
from cifarbench.sweep.expectation import expect
from cifarbench.sweep.staleness import stale_now

STATES = ("done", "running", "waiting", "interrupted", "diverged", "failed")
AHEAD = ("running", "waiting", "interrupted")  # what the snakemake command still trains, if nothing failed
TAIL_BYTES, LINE_LENGTH = 8192, 300
EPOCH = re.compile(r"(?:\bepoch|going on after epoch) +(\d+)")
CURVE = re.compile(r"\bepoch +\d+ .* train loss .* acc +(\S+)  validation acc +(\S+)")
ERROR = re.compile(r"^(cifarbench \w+: error: .+|(?:\w+\.)*\w*(?:Error|Exception|Exit)\b.*)$")
STOPPED = re.compile(r"^KeyboardInterrupt|: stopped and saved;")


RecordCache = dict[Path, tuple[int, Record]]
"""Records by their path, with the time that they were written."""


class RunStatus(NamedTuple):
    """What the files of a run tell."""

    state: str
    record: Record | None = None
    epochs: int = 0
    """Done so far, of a running or interrupted run."""
    machine: str | None = None
    reason: str | None = None
    """Of a failure."""
    curve: tuple[float, ...] = ()
    """Accuracy after each of the last epochs of a running run: in validation, or else in training."""
    last_line: str | None = None


class Status(NamedTuple):
    plan: Plan
    runs: dict[str, RunStatus]
    stale: dict[str, str]
    """Runs with a record, by id, with the reason."""
    seconds_left: float | None
    """Of all that is not done or failed, with as many runs at a time as now; None if no record tells."""
    unknown: int
    """Runs that `seconds_left` leaves out, because no record tells how long they take."""

    def ids(self, state: str) -> list[str]:
        return [run for run, status in self.runs.items() if status.state == state]

    def counts(self, runs: Iterable[str]) -> dict[str, int]:
        found = dict.fromkeys((*STATES, "stale"), 0)
        for run in runs:
            found[self.runs[run].state] += 1
            found["stale"] += run in self.stale
        return found


def sweep_status(plan: Plan, runs_folder: Path, cache: RecordCache | None = None) -> Status:
    """Look at every run of a plan. `cache` keeps the records between calls, so that each is read once."""
    cache = {} if cache is None else cache
    runs = {run.id: run_status(runs_folder / run.id, cache) for run in plan.runs}
    records = {run: status.record for run, status in runs.items() if status.record}
    expected = expect(plan, records).expected_seconds
    ahead = [run for run in plan.runs if runs[run.id].state in AHEAD]
    seconds = [seconds_left(run, runs[run.id], expected[run.id]) for run in ahead if run.id in expected]
    at_a_time = max(1, sum(runs[run.id].state == "running" for run in ahead))
    return Status(
        plan,
        runs,
        stale=stale_now(records.values(), read_verified(runs_folder.parent)),
        seconds_left=sum(seconds) / at_a_time if seconds or not ahead else None,
        unknown=len(ahead) - len(seconds),
    )


def seconds_left(run: Run, status: RunStatus, expected: float) -> float:
    return expected * (1 - status.epochs / run.config.epochs)


def run_status(folder: Path, cache: RecordCache) -> RunStatus:
    for path in (folder / RECORD, folder / PACKED / RECORD):  # of a pack, until its own job takes it
        try:
            record = record_at(path, cache)
        except UserError as error:
            if path.exists():  # else removed while we looked
                return RunStatus("failed", reason=str(error))
            continue
        if record:
            return RunStatus("diverged" if record.status == "diverged" else "done", record)
    return without_record(folder)


def record_at(path: Path, cache: RecordCache) -> Record | None:
    try:
        written = path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    if path not in cache or cache[path][0] != written:
        cache[path] = written, read_record(path)
    return cache[path][1]


def without_record(folder: Path) -> RunStatus:
    """Tell the state of a run that has no record by heartbeat, log and checkpoint."""
    log, packed = folder / LOG, folder / PACKED
    lines = tail(packed / LOG) if packed.exists() else tail(log)
    epochs = max((int(number) for line in lines for number in EPOCH.findall(line)), default=0)
    last = lines[-1] if lines else None
    machine = alive_on(folder)
    machine = machine and printable(machine)
    if machine is not None or just_opened(log):
        return RunStatus("running", None, epochs, machine, last_line=last, curve=curve(lines))
    saved = any((place / CHECKPOINT).exists() for place in (folder, packed))
    begun = log.exists() and not packed.exists()  # what a pack left off is for the job of its own to do
    reason = next((line for line in reversed(lines) if ERROR.match(line)), None)
    if (last and STOPPED.search(last)) or (saved and not (begun and reason)):
        return RunStatus("interrupted", epochs=epochs, last_line=last)
    if not begun:
        return RunStatus("waiting")
    return RunStatus("failed", reason=reason or "ended without an error in its log: killed?", last_line=last)


def curve(lines: list[str]) -> tuple[float, ...]:
    """Return the accuracy of each epoch in the lines of a log: in validation, or in training without one."""
    found = [match.groups() for match in map(CURVE.search, lines) if match]
    return tuple(float(train if held_out == "-" else held_out) for train, held_out in found)


def just_opened(log: Path) -> bool:
    """Tell whether a job has opened its log and may not have come to its heartbeat yet."""
    try:
        facts = log.stat()
    except FileNotFoundError:
        return False
    return facts.st_size == 0 and time.time() - facts.st_mtime < SILENT_SECONDS


def tail(log: Path) -> list[str]:
    """Return the last lines of a log that are not empty; none without a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return [printable(line)[:LINE_LENGTH] for line in text.splitlines() if line.strip()]


def retry_command(status: Status, runs_folder: Path, config: Path | None) -> str | None:
    """Return the command that trains the failed runs again and nothing else; None if none failed."""
    failed = status.ids("failed")
    if not failed:
        return None
    workdir = runs_folder.absolute().parent.parent
    command = ["snakemake", "--cores", "all", *(f"results/runs/{run}/{RECORD}" for run in failed)]
    command += ["--configfile", str(config)] if config else []
    command += ["--directory", str(workdir)] if workdir != Path().absolute() else []
    return shlex.join(command)
