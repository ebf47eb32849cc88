"""All that rests on insides of Snakemake, which no document promises: tried with 9.19.0 and 9.27.1.

`workflow` is the object of that name in a Snakefile. Snakemake is not imported; the tests ask a real one.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from cifarbench.errors import UserError

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
TRAIN_JOB = re.compile(
    r"^rule train:\n(?:    .*\n)*?    reason: (?P<reason>.*)\n    wildcards: run=(?P<run>.*)$", re.M
)


def configfile_given(workflow: Any) -> bool:
    """Tell whether the call has a --configfile, which would be merged into one that a Snakefile loads."""
    return bool(workflow.overwrite_configfiles)


def config_folders(workflow: Any) -> list[Path]:
    return [Path(file).parent for file in workflow.configfiles]


def trains_here(workflow: Any) -> bool:
    """Tell whether the jobs run on this machine; those of a dry run may run on any."""
    return not workflow.non_local_exec_or_dryrun


def training_reasons(config: Path, workdir: Path) -> dict[str, str]:
    """Return Snakemake's reason for each run that it would train. Raise UserError if it cannot tell."""
    call = [sys.executable, "-P", "-m", "snakemake", "--dry-run", "--cores", "1"]
    call += ["--snakefile", str(SNAKEFILE), "--directory", str(workdir), "--configfile", str(config)]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        fault = done.stdout.rpartition("Building DAG of jobs...")[2]
        raise UserError(f"snakemake --dry-run stops: {' '.join(fault.split())}")
    return {match["run"]: match["reason"] for match in TRAIN_JOB.finditer(done.stdout)}
