"""All that rests on insides of Snakemake, which no document promises: tried with 9.19.0 and 9.27.1.

`workflow` is the object of that name in a Snakefile. Snakemake is not imported; the tests ask a real one.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from cifarbench.errors import UserError

FORCE = ("-R", "--forcerun")
SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
TRAIN_JOB = re.compile(
    r"^rule train:\n(?:    .*\n)*?    reason: (?P<reason>.*)\n    wildcards: run=(?P<run>.*)$", re.M
)


def configfile_given(workflow: Any) -> bool:
    """Tell whether the call has a --configfile, which would be merged into one that a Snakefile loads."""
    return bool(workflow.overwrite_configfiles)


def config_files(workflow: Any) -> list[Path]:
    return [Path(file) for file in workflow.configfiles]


def forced() -> set[str]:
    """Return the rules and files after --forcerun, which Snakemake tells a Snakefile of too late."""
    found, inside = set[str](), False
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=")
        if word.startswith("-"):
            inside = word in FORCE
            found |= {value} if equals and option in FORCE else set()
        elif inside:
            found.add(word)
    return found


def trains_here(workflow: Any) -> bool:
    """Tell whether the jobs run on this machine; those of a dry run may run on any."""
    return not workflow.non_local_exec_or_dryrun


def workdir_of(runs_folder: Path) -> Path:
    """Return the working directory whose `results/runs` this is. Raise UserError if it is another folder."""
    path = runs_folder.absolute()
    if path.parts[-2:] != ("results", "runs"):
        raise UserError(
            f"--runs: {str(runs_folder)!r} is not allowed: Snakemake trains in results/runs of a folder"
        )
    return path.parents[1]


def is_main(workflow: Any) -> bool:
    """Tell whether this is the call itself, not one of the processes that it starts for its jobs."""
    return bool(workflow.is_main_process)


def left_locked(workdir: Path) -> bool:
    """Tell whether a folder is locked by a Snakemake that does not run on this machine."""
    locks = (workdir / ".snakemake" / "locks").glob("*.lock")
    return any(locks) and not any(_runs_in(workdir.resolve(), process) for process in psutil.process_iter())


def _runs_in(workdir: Path, process: psutil.Process) -> bool:
    """Tell whether a process is a Snakemake in a folder; this very one and those that started it are none."""
    try:
        here = process.pid not in {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
        is_one = any(Path(word).name.startswith("snakemake") for word in process.cmdline()[:4])
        return here and is_one and Path(process.cwd()) == workdir
    except psutil.Error:  # gone meanwhile, or another user's
        return False


def unlock_hint(workdir: Path) -> str:
    """Say what to do about a folder that is `left_locked`."""
    where = f" --directory {shlex.quote(str(workdir))}" if workdir.resolve() != Path().resolve() else ""
    return (
        "The folder is locked by a snakemake that does not run on this machine. If it was killed, "
        f"`snakemake{where} --unlock` unlocks the folder, and then the same command as before goes on."
    )


def training_reasons(config: Path, workdir: Path) -> dict[str, str]:
    """Return Snakemake's reason for each run that it would train. Raise UserError if it cannot tell."""
    call = [sys.executable, "-P", "-m", "snakemake", "--dry-run", "--cores", "1"]
    call += ["--snakefile", str(SNAKEFILE), "--directory", str(workdir), "--configfile", str(config)]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        fault = done.stdout.rpartition("Building DAG of jobs...")[2]
        raise UserError(f"snakemake --dry-run stops: {' '.join(fault.split())}")
    return {match["run"]: match["reason"] for match in TRAIN_JOB.finditer(done.stdout)}
