"""What the tests of this room share: two networks trained on digits for one epoch each."""

from pathlib import Path

import pytest

from helpers.training import train


@pytest.fixture(scope="session")
def runs(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs, by the names `lenet5` and `baseline`, beside which the data lie."""
    folder = tmp_path_factory.mktemp("use") / "runs"
    train(digits, folder / "lenet5", "--model", "lenet5", "--denoise", "median")
    train(digits, folder / "baseline", "--model", "baseline", "--scaling", "unit")
    return folder
