"""One device per job: a lock file for each GPU of this machine, held while a training runs on it.

Snakemake's `resources: gpu=1` only counts. Which GPU a job gets is settled here, so that two timed runs
never share one, also when `--resources gpu=1` was forgotten. The kernel frees the lock of a process that
dies, however it dies. A batch system that has chosen already (it says so in CUDA_VISIBLE_DEVICES) wins.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from cifarbench.errors import UserError
from cifarbench.machine import gpu_handles

VISIBLE = "CUDA_VISIBLE_DEVICES"
# Set by Slurm, PBS, Grid Engine and LSF in each job.
BATCH_SYSTEMS = ("SLURM_JOB_ID", "PBS_JOBID", "JOB_ID", "LSB_JOBID")
LOCAL_FOLDERS = (Path("/dev/shm"), Path("/tmp"))
POLL_SECONDS = 0.5

log = logging.getLogger(__name__)


@contextmanager
def lease() -> Iterator[str | None]:
    """Hold one GPU and make it the only one that CUDA sees; wait while all are held by other jobs.

    Yield its name, None where there is nothing to choose: no GPU, or a batch system's own choice. Must be
    entered before anything asks CUDA for its devices.
    """
    chosen = os.environ.get(VISIBLE)
    chosen_already = chosen is not None and any(os.environ.get(name) for name in BATCH_SYSTEMS)
    candidates = [] if chosen_already else usable_gpus(chosen)
    if not candidates:
        yield None
        return
    device, lock = _acquire(candidates)
    os.environ[VISIBLE] = device
    try:
        yield device
    finally:
        lock.release()
        if chosen is None:
            del os.environ[VISIBLE]
        else:
            os.environ[VISIBLE] = chosen


def usable_gpus(visible: str | None) -> list[str]:
    """Return the GPUs to choose from: all that are installed, or those that CUDA_VISIBLE_DEVICES names.

    As CUDA reads it, the list ends at the first entry that is none. A number, or the beginning of a UUID,
    stands for the whole UUID, in the driver's order, so that one GPU has one lock however it is named; a part
    of a GPU (MIG) keeps the name that it is given.
    """
    installed = installed_gpus()
    if visible is None:
        return installed
    found = [_uuid(name.strip(), installed) for name in visible.split(",")]
    return [uuid for uuid in found[: found.index(None) if None in found else None] if uuid]


def _uuid(name: str, installed: list[str]) -> str | None:
    if name.isdecimal():
        return installed[int(name)] if int(name) < len(installed) else None
    if name.startswith("MIG-"):
        return name if installed else None
    matching = [uuid for uuid in installed if name.startswith("GPU-") and uuid.startswith(name)]
    return matching[0] if len(matching) == 1 else None


def _acquire(candidates: list[str]) -> tuple[str, FileLock]:
    waiting = False
    while True:
        for device in candidates:
            lock = FileLock(lock_folder() / f"gpu-{quote(device, safe='')}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            return device, lock
        if not waiting:
            log.info("all GPUs (%s) are held by other jobs; waiting for one", ", ".join(candidates))
            waiting = True
        time.sleep(POLL_SECONDS)


def lock_folder() -> Path:
    """Return this user's folder of locks, of this machine alone and the same for all workflows.

    Not in the home folder, nor first where TMPDIR says: that may be shared by machines, or of one job alone.
    """
    for place in (*LOCAL_FOLDERS, Path(tempfile.gettempdir())):
        folder = place / f"cifarbench-{os.getuid()}"
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    raise UserError(f"{folder}: cannot be written, so no GPU can be held for one training; set TMPDIR")


def installed_gpus() -> list[str]:
    """Return the UUIDs of this machine's NVIDIA GPUs, in the driver's order; none without a driver.

    UUIDs, because CUDA's numbers may follow another order than the driver's.
    """
    import pynvml

    return [str(pynvml.nvmlDeviceGetUUID(handle)) for handle in gpu_handles()]
