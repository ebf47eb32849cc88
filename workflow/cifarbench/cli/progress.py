"""Progress bars, on a terminal only: a log has its lines and nothing else.

What moves is a plain number. The bar's own thread looks at it a few times a second, so the work never waits.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rich import progress as rich
from rich.console import Console, RenderableType
from rich.table import Column
from rich.text import Text

from cifarbench.config.knobs import TrainConfig

LOOKS = 4  # a second
PATIENCE = 2.0  # seconds until work that may be short has a bar

T = TypeVar("T")


class Words(rich.ProgressColumn):
    """The description, which gives way first where the terminal is narrow."""

    def render(self, task: rich.Task) -> Text:
        return Text(task.description, no_wrap=True, overflow="ellipsis")


class Speed(rich.ProgressColumn):
    """Images per second of the last half minute, evaluation and all."""

    def render(self, task: rich.Task) -> Text:
        return Text(f"{task.speed:,.0f} images/s" if task.speed else "")


WHOLE = Column(no_wrap=True)
WHAT = (Words(), rich.BarColumn(10, table_column=WHOLE))
LEFT = rich.TimeRemainingColumn(table_column=WHOLE)
TRAINING = (*WHAT, Speed(WHOLE), LEFT)
BYTES = (*WHAT, rich.DownloadColumn(table_column=WHOLE), rich.TransferSpeedColumn(WHOLE), LEFT)
RUNS = (*WHAT, rich.MofNCompleteColumn(table_column=WHOLE), rich.TextColumn("runs"), LEFT)
ELAPSED = (*WHAT, rich.TimeElapsedColumn(WHOLE))  # of work that cannot tell how much is left


def terminal() -> Console | None:
    """Return the terminal that standard error is; None for a file, a pipe, or one that only prints."""
    console = Console(stderr=True, highlight=False)
    return console if sys.stderr.isatty() and console.is_interactive else None


class Bar(rich.Progress):
    """A bar that is gone at the end; what is logged and printed meanwhile goes above it."""

    def __init__(
        self,
        console: Console,
        columns: Sequence[rich.ProgressColumn],
        look: Callable[[], dict[str, Any]],
        patience: float = 0.0,
    ) -> None:
        """`look` returns description, total and completed."""
        self.look, self.due = look, time.monotonic() + patience
        super().__init__(
            *columns,
            console=console,
            transient=True,
            refresh_per_second=LOOKS,
            redirect_stdout=sys.stdout.isatty(),  # lines meant for a file are not to land on the terminal
        )
        self.add_task(**look())

    def get_renderables(self) -> Iterable[RenderableType]:
        for task in self.task_ids:
            self.update(task, **self.look())
        if time.monotonic() >= self.due:
            yield from super().get_renderables()

    def start(self) -> None:
        before = sys.stderr
        super().start()
        hand_over_log(before, sys.stderr)

    def stop(self) -> None:
        before = sys.stderr
        super().stop()
        hand_over_log(before, sys.stderr)


def hand_over_log(before: Any, now: Any) -> None:
    """Let the log that goes to one stream go to another."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is before:
            handler.setStream(now)


class TrainingBar:
    """The listener that shows epoch, loss, accuracy, images per second and time left."""

    name = "progress bar"

    def __init__(self, console: Console) -> None:
        self.console = console
        self.bar: Bar | None = None

    def started(self, config: TrainConfig, model: Any, progress: Any, images: int) -> None:
        self.bar = Bar(self.console, TRAINING, partial(how_far, config, progress, images))
        self.bar.start()

    def epoch_ended(self, epoch: Any, images: int) -> None:
        """Do nothing: the bar looks for itself."""

    def ended(self, record: Any, folder: Path, data_folder: Path) -> None:
        """Do nothing: the bar ends with the training, however that ends."""

    def closed(self) -> None:
        if self.bar:
            self.bar.stop()


def how_far(config: TrainConfig, progress: Any, images: int) -> dict[str, Any]:
    """Say how far a training is, from numbers that the device need not be asked for."""
    epochs = list(progress.epochs)
    words = f"epoch {min(len(epochs) + 1, config.epochs)}/{config.epochs}"
    if epochs:
        last = epochs[-1]
        held_out = last.validation_accuracy is not None
        accuracy = last.validation_accuracy if held_out else last.running_train_accuracy
        loss = "not finite" if last.running_train_loss is None else f"{last.running_train_loss:.4f}"
        words += f"  loss {loss}  acc {accuracy:.4f} ({'validation' if held_out else 'train'})"
    return {
        "description": f"{words}  {config.model}",
        "total": config.epochs * images,
        "completed": len(epochs) * images + progress.position,
    }


class Count:
    """How much is done of how much; moved as pooch moves a bar of tqdm."""

    def __init__(self, total: int | None = None) -> None:
        self.total = total

    @property
    def total(self) -> int | None:
        return self._total

    @total.setter
    def total(self, total: int | None) -> None:
        self._total, self.done = total, 0  # pooch says it again where a transfer starts again

    def update(self, more: int) -> None:
        self.done += more

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Do nothing: the bar ends with the work."""

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Pass the items on and count each once it is done with."""
        for item in items:
            yield item
            self.update(1)


@contextmanager
def working(
    what: str, columns: Sequence[rich.ProgressColumn] = ELAPSED, total: int | None = None
) -> Iterator[Count]:
    """Show how far the work in the block is, once it has taken PATIENCE seconds."""
    count, console = Count(total), terminal()
    if console is None:
        yield count
        return

    def look() -> dict[str, Any]:
        return {"description": what, "total": count.total or None, "completed": count.done}

    with Bar(console, columns, look, PATIENCE):
        yield count
