"""The repository, and the real Snakemake run in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]


# What a run on digits needs, because the default of 5,000 validation images is more than digits have.
SMALL = {"dataset": "digits", "validation_images": 200, "epochs": 1, "batch_size": 64}


def needs(program: str) -> str:
    """Return the program's path; skip without it, but fail where CI should have installed it."""
    return shutil.which(program) or lacking(f"{program} is not installed")


def lacking(reason: str) -> NoReturn:
    """Skip a test that this machine cannot run; fail where CI should have made it able to."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


def snakemake_command(folder: Path, *arguments: str) -> list[str]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    return [*command, "--cores", "2", "--directory", str(folder), *arguments]


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real workflow with `folder` as its working directory; standard error joins the output."""
    return subprocess.run(
        snakemake_command(folder, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=REPOSITORY,
    )


TABLE = "results/runs.parquet"  # a target that leaves out the report, where it is not what is tested


def write_config(folder: Path, *runs: dict[str, object], **config: object) -> str:
    """Write a config of one study and return its path; its defaults are the knobs of SMALL."""
    study = {"name": "study", "title": "A study", "runs": list(runs)}
    content = {"title": "Test", "defaults": SMALL, "studies": [study], **config}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def trained(output: str) -> list[str]:
    """Return the runs that Snakemake trained, or would train, from its output."""
    return sorted(set(re.findall(r"--output results/runs/(\S+)", output)))


def run(folder: Path, *arguments: str) -> str:
    result = snakemake(folder, *arguments)
    assert result.returncode == 0, result.stdout
    return result.stdout
