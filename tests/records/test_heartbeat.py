"""The sign of life of a training."""

import os
import platform
import time
from pathlib import Path

import pytest

from cifarbench.records import heartbeat as module
from cifarbench.records.heartbeat import HEARTBEAT, SILENT_SECONDS, alive_on, heartbeat


def test_it_beats_while_the_training_runs_and_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    run = tmp_path / "run"
    assert alive_on(run) is None
    with heartbeat(run):
        assert alive_on(run) == platform.node()
        silent_since(run, 1000)
        until = time.monotonic() + 10
        while alive_on(run) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert not (run / HEARTBEAT).exists()


def silent_since(run: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(run / HEARTBEAT, (then, then))


def test_one_that_a_kill_left_behind_is_no_life(tmp_path: Path) -> None:
    (tmp_path / HEARTBEAT).write_text("node7")
    assert alive_on(tmp_path) == "node7"
    silent_since(tmp_path, SILENT_SECONDS + 1)
    assert alive_on(tmp_path) is None


def test_a_folder_that_vanishes_stops_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.01)
    with heartbeat(tmp_path / "run"):
        (tmp_path / "run" / HEARTBEAT).unlink()
        (tmp_path / "run").rmdir()
        time.sleep(0.1)
    assert not (tmp_path / "run").exists()
