"""What the tests share: digits normalised once, and the real Snakemake run in a folder of its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from cifarbench.cli.parser import main

# Of PyTorch in each worker and in what it starts: on layers so small, more threads only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("tests", deadline=None)  # a busy machine is no fault
settings.load_profile("tests")

FIRST = ("workflow", "cluster", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no worker is left with one when the others are done."""

    def rank(item: pytest.Item) -> int:
        room = item.path.parent.name
        return FIRST.index(room) if room in FIRST else len(FIRST)

    items.sort(key=rank)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "digits"
    assert main(["normalise", "--name", "digits", "--format", "digits", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return digits of which a hundred train and twenty test."""
    folder = tmp_path_factory.mktemp("data") / "few"
    call = ["normalise", "--name", "few", "--format", "digits", "--subset", "train=100,test=20"]
    assert main([*call, "--output", str(folder)]) == 0
    return folder


@pytest.fixture
def ready(digits: Path, tmp_path: Path) -> Path:
    """Let digits be normalised already in the working directory, which saves a workflow a job."""
    shutil.copytree(digits, tmp_path / "data/digits")
    return tmp_path


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
