"""What the tests share: digits normalised once, and the real Snakemake run in a folder of its own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from cifarbench.cli import main

REPOSITORY = Path(__file__).parents[1]
# What a run on digits needs, because the default of 5,000 validation images is more than digits have.
SMALL = {"dataset": "digits", "validation_images": 200, "epochs": 1, "batch_size": 64}


def needs(program: str) -> str:
    """Return the program's path; skip without it, but fail where CI should have installed it."""
    return shutil.which(program) or lacking(f"{program} is not installed")


def lacking(reason: str) -> NoReturn:
    """Skip a test that this machine cannot run; fail where CI should have made it able to."""
    pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    assert main(["normalise", "--name", "digits", "--format", "digits", "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def fails(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Return a function that runs a verb, demands exit code 2 and one line, and returns that line."""

    def run(*argv: object) -> str:
        try:
            code = main([str(argument) for argument in argv])
        except SystemExit as stop:  # argparse
            code = int(stop.code or 0)
        error = capsys.readouterr().err
        assert code == 2
        assert error.startswith(f"cifarbench {argv[0]}: error: ")
        assert error.count("\n") == 1
        return error.strip()

    return run


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
