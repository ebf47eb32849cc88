"""One device per job, with made-up device names: many processes, killed at random, never two on one."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cifarbench.training import lease as module
from cifarbench.training.lease import BATCH_SYSTEMS, VISIBLE, installed_gpus, lease, lock_folder, usable_gpus

# Takes a lease, notes that it has it, works a little, notes that it gives it back.
JOB = """
import os, sys, time
from pathlib import Path
from cifarbench.training import lease as module
from cifarbench.training.lease import lease
notes, work = sys.argv[1], float(sys.argv[2])
module.installed_gpus = lambda: ["GPU-a", "GPU-b"]
module.LOCAL_FOLDERS = ()
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
    monkeypatch.setattr(module, "LOCAL_FOLDERS", ())
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
    jobs = [job(notes, 0.2, "GPU-a", "GPU-b") for _ in range(8)]
    devices = [running.communicate(timeout=60)[0].strip() for running in jobs]
    assert [running.returncode for running in jobs] == [0] * 8  # O_EXCL: no two at once on one device
    assert set(devices) == {"GPU-a", "GPU-b"}


def test_a_killed_job_frees_its_device(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    moments = random.Random(0)
    for _ in range(5):
        victim = job(notes, 60, "GPU-a")
        assert victim.stdout is not None
        assert victim.stdout.readline() == "GPU-a\n"
        time.sleep(moments.uniform(0, 0.05))
        victim.kill()
        victim.communicate()
        (notes / "GPU-a").unlink()
        heir = job(notes, 0, "GPU-a")
        assert heir.communicate(timeout=30)[0] == "GPU-a\n"


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


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("1,0", ["GPU-b2", "GPU-a1"]),
        (" 1 , 0", ["GPU-b2", "GPU-a1"]),
        ("-1", []),
        ("NoDevFiles", []),
        ("none", []),
        ("0,-1,1", ["GPU-a1"]),  # CUDA reads no further
        ("0,7,1", ["GPU-a1"]),
        ("0,,1", ["GPU-a1"]),
        ("GPU-b", ["GPU-b2"]),
        ("GPU-", []),  # of more than one
        ("GPU-c,0", []),
        ("MIG-GPU-a1/1/0", ["MIG-GPU-a1/1/0"]),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(
    monkeypatch: pytest.MonkeyPatch, visible: str, expected: list[str]
) -> None:
    install(monkeypatch, "GPU-a1", "GPU-b2")
    assert usable_gpus(visible) == expected


def test_a_part_of_a_gpu_has_a_lock_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "GPU-a")
    parts = ["MIG-GPU-a/1/0", "MIG-GPU-a/2/0"]
    monkeypatch.setenv(VISIBLE, ",".join(parts))
    with lease() as first:
        monkeypatch.setenv(VISIBLE, ",".join(parts))
        with lease() as second:
            assert [first, second] == parts
    locks = {path.name for path in lock_folder().iterdir()}
    assert locks <= {"gpu-MIG-GPU-a%2F1%2F0.lock", "gpu-MIG-GPU-a%2F2%2F0.lock"}


@pytest.mark.parametrize("visible", ["0", "0,1", "-1", "NoDevFiles", "GPU-a", "MIG-x"])
def test_where_there_is_no_gpu_nobody_waits_for_one(
    machine: Path, monkeypatch: pytest.MonkeyPatch, visible: str
) -> None:
    install(monkeypatch)
    monkeypatch.setenv(VISIBLE, visible)
    with lease() as first, lease() as second:
        assert (first, second) == (None, None)
    assert list(machine.glob("**/*.lock")) == []


def test_locks_lie_on_this_machine_whatever_tmpdir_says(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = machine / "local"
    local.mkdir()
    monkeypatch.setattr(module, "LOCAL_FOLDERS", (machine / "none", local))
    assert lock_folder().parent == local
    monkeypatch.setattr(module, "LOCAL_FOLDERS", (machine / "none",))
    assert lock_folder().parent == machine


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
