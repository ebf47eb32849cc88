"""What a record says of the machine and the code."""

import subprocess
from pathlib import Path

import pytest

from cifarbench.training import environment


def test_the_commit_of_a_checkout_of_another_user_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for call in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run([*git, *call], check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert subprocess.run([*git, "status"], capture_output=True, check=False).returncode  # git itself refuses
    monkeypatch.setattr(environment, "PACKAGE", tmp_path)
    assert environment.git_state.__wrapped__() == (commit.strip(), False)
    (tmp_path / "file").write_text("x")
    assert environment.git_state.__wrapped__() == (commit.strip(), True)
