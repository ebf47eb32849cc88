"""A sign of life of a training: a file in the run's folder that is touched as long as the process lives.

`cifarbench status` tells by it what runs and what was killed. A file's time, unlike a lock, means the same on
a shared file system and for every scheduler, and a process that is killed leaves nothing to clear up. What
it cannot tell: for SILENT_SECONDS after a kill the run still counts as running, and two machines' clocks
must agree to within a minute.
"""

import logging
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cifarbench.files import write_text

HEARTBEAT = "heartbeat"
BEAT_SECONDS = 15.0
SILENT_SECONDS = 90.0  # a shared file system may show a file's time up to a minute late

log = logging.getLogger(__name__)


@contextmanager
def heartbeat(folder: Path) -> Iterator[None]:
    """Keep the heartbeat of the run in `folder` while the block runs; the file names this machine."""
    path, done = folder / HEARTBEAT, threading.Event()

    def beat() -> None:
        while not done.wait(BEAT_SECONDS):
            try:
                path.touch()
            except OSError as error:  # no reason to stop a training
                log.warning("%s: %s", path, error.strerror)

    write_text(path, platform.node())
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        path.unlink(missing_ok=True)
        with suppress(OSError):  # which it is not, unless nothing came of the run
            folder.rmdir()


def alive_on(folder: Path) -> str | None:
    """Return the machine that the run in `folder` is being trained on; None if it is not."""
    path = folder / HEARTBEAT
    try:
        fresh = time.time() - path.stat().st_mtime < SILENT_SECONDS
        return path.read_text(encoding="utf-8") if fresh else None
    except FileNotFoundError:
        return None
