"""What a training does when it is asked to stop. No torch here, so that a signal finds it from the start."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# Ctrl-C, the end of a job, and what schedulers send before it.
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Interrupted(BaseException):
    """The training was asked to stop and has lost nothing; no `except Exception` takes it for a fault."""


@contextmanager
def on_stop(act: Callable[[], None]) -> Iterator[None]:
    """Do `act` when a stop signal comes, instead of dying of it."""

    def handle(_signal: int, _frame: FrameType | None) -> None:
        act()

    before = {number: signal.signal(number, handle) for number in STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_now() -> NoReturn:
    """Stop where nothing is to be saved yet, or any more."""
    raise Interrupted("stopped; the same command goes on")
