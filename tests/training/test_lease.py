"""One device per job, with made-up device names: many processes, killed at random, never two on one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifarbench.training.lease import BATCH_SYSTEMS, VISIBLE, installed_gpus, lease

# Takes a lease, notes that it has it, works a little, notes that it gives it back.
JOB = """
import os, sys, time
from cifarbench.training.lease import lease
notes, work = sys.argv[1], float(sys.argv[2])
with lease() as device:
    assert os.environ["CUDA_VISIBLE_DEVICES"] == device
    marker = os.path.join(notes, device)
    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
    print(device, flush=True)
    time.sleep(work)
    os.remove(marker)
"""


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A lock folder of its own, and no word of a batch system or of visible devices."""
    for name in (*BATCH_SYSTEMS, VISIBLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path


def job(notes: Path, work: float, *devices: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", JOB, str(notes), str(work)]
    environment = {**os.environ, VISIBLE: ",".join(devices)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def test_more_jobs_than_devices_take_turns(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    jobs = [job(notes, 0.2, "a", "b") for _ in range(8)]
    devices = [running.communicate(timeout=60)[0].strip() for running in jobs]
    assert [running.returncode for running in jobs] == [0] * 8  # O_EXCL: no two at once on one device
    assert set(devices) == {"a", "b"}


def test_a_killed_job_frees_its_device(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    moments = random.Random(0)
    for _ in range(5):
        victim = job(notes, 60, "a")
        assert victim.stdout is not None
        assert victim.stdout.readline() == "a\n"
        time.sleep(moments.uniform(0, 0.05))
        victim.kill()
        victim.communicate()
        (notes / "a").unlink()
        heir = job(notes, 0, "a")
        assert heir.communicate(timeout=30)[0] == "a\n"


def install(monkeypatch: pytest.MonkeyPatch, *uuids: str) -> None:
    monkeypatch.setattr("cifarbench.training.lease.installed_gpus", lambda: list(uuids))


def test_the_devices_that_are_visible_are_those_to_choose_from(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "GPU-a", "GPU-b", "GPU-c", "GPU-d")
    monkeypatch.setenv(VISIBLE, "2,3")
    with lease() as first:
        assert first == os.environ[VISIBLE] == "GPU-c"
    assert os.environ[VISIBLE] == "2,3"


def test_one_gpu_has_one_lock_however_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "GPU-a", "GPU-b")
    with lease() as first:
        assert first == "GPU-a"
        monkeypatch.setenv(VISIBLE, "0,1")
        with lease() as second:
            assert second == "GPU-b"


@pytest.mark.parametrize("name", BATCH_SYSTEMS)
def test_a_batch_systems_choice_wins_and_nothing_is_locked(
    machine: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(VISIBLE, "1")
    monkeypatch.setenv(name, "4711")
    install(monkeypatch, "GPU-a", "GPU-b")
    with lease() as device:
        assert device is None
        assert os.environ[VISIBLE] == "1"
    assert list(machine.glob("**/*.lock")) == []


def test_without_a_gpu_there_is_nothing_to_lease(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)
    with lease() as device:
        assert device is None
        assert VISIBLE not in os.environ
    install(monkeypatch, "GPU-a")
    monkeypatch.setenv(VISIBLE, "")  # hidden on purpose
    with lease() as device:
        assert device is None
    assert list(machine.glob("**/*.lock")) == []


def test_the_driver_is_asked_for_uuids() -> None:
    """Whatever this machine has: UUIDs of its GPUs, or none."""
    assert all(name.startswith("GPU-") for name in installed_gpus())
