"""What `cifarbench status` says: lines for people, live on a terminal, or JSON for scripts."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cifarbench.errors import printable
from cifarbench.sweep.status import AHEAD, STATES, Status
from cifarbench.words import count, duration

COLUMNS = (*STATES, "stale")
STYLES = {"done": "green", "running": "cyan", "failed": "bold red", "diverged": "yellow", "stale": "yellow"}
PLAIN_WIDTH = 160  # where there is no terminal
BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 30  # epochs
LISTED = 20  # runs named one by one; --json names all
WATCH_LISTED = 5
WIDE = 120  # a terminal with room for bars


def show(status: Status, retry: str | None, console: Console) -> None:
    console.print(view(status, LISTED))
    if retry:
        console.print(Text(f"Retry what failed:\n  {retry}"), soft_wrap=True)


def console_here() -> Console:
    plain = Console(highlight=False)
    return plain if plain.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def watch(look: Callable[[], Status], console: Console, seconds: float = 2) -> None:
    """Show the status again and again until nothing is left to train."""
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            status = look()
            shown = view(status, WATCH_LISTED, bars=console.width >= WIDE, curves=True)
            live.update(shown, refresh=True)
            if not any(run.state in AHEAD for run in status.runs.values()):
                return
            time.sleep(seconds)


def view(status: Status, listed: int, bars: bool = False, curves: bool = False) -> RenderableType:
    lines = [*running(status, listed, curves), *failed(status, listed), *stale(status, listed)]
    return Group(studies(status, bars), Text(time_left(status)), *lines)


def studies(status: Status, bars: bool) -> Table:
    table = Table("study", box=None, title=status.plan.title, title_justify="left", pad_edge=False)
    for column in ("runs", *COLUMNS):
        table.add_column(column, justify="right")
    parts = [(study.name, study.runs) for study in status.plan.studies]
    if len(parts) > 1:
        parts.append(("all, each once", list(status.runs)))
    for name, runs in parts:
        counts = status.counts(runs)
        cells = [Text(str(counts[c]), style=STYLES.get(c, "") if counts[c] else "dim") for c in COLUMNS]
        ended = counts["done"] + counts["diverged"]
        bar = (
            [ProgressBar(total=len(runs), completed=ended, width=20, complete_style="green")] if bars else []
        )
        table.add_row(name, str(len(runs)), *cells, *bar)
    return table


def time_left(status: Status) -> str:
    ahead = sum(run.state in AHEAD for run in status.runs.values())
    if not ahead:
        return (
            "Nothing is left to train, but for what failed." if status.ids("failed") else "All runs are done."
        )
    if status.seconds_left is None:
        left = count(ahead, "run is", "runs are")
        return f"{left} left, and no record yet to tell how long {'it takes' if ahead == 1 else 'they take'}."
    unknown = f", without {status.unknown} that no record tells of" if status.unknown else ""
    number = max(1, len(status.ids("running")))
    left = f"{count(ahead, 'run is', 'runs are')} left: about {duration(status.seconds_left)}"
    return f"{left}, {number} at a time{unknown}."


def running(status: Status, listed: int, curves: bool) -> Iterator[Text]:
    epochs = {run.id: run.config.epochs for run in status.plan.runs}
    for run in status.ids("running")[:listed]:
        facts = status.runs[run]
        where = f" on {facts.machine}" if facts.machine else ""
        yield Text.assemble(("running ", "cyan"), f"{run}: epoch {facts.epochs} of {epochs[run]} done{where}")
        if curves and facts.curve:
            yield Text.assemble(
                "        ", (sparkline(facts.curve), "cyan"), f" accuracy {facts.curve[-1]:.4f}"
            )
    yield from and_more(status.ids("running"), listed)


def sparkline(values: Sequence[float]) -> str:
    """Draw the last values, a block each, from the lowest of them to the highest."""
    shown = values[-CURVE_WIDTH:]
    low, high = min(shown), max(shown)
    step = (high - low) / (len(BLOCKS) - 1) or 1.0
    return "".join(BLOCKS[round((value - low) / step)] for value in shown)


def failed(status: Status, listed: int) -> Iterator[Text]:
    for run in status.ids("failed")[:listed]:
        facts = status.runs[run]
        yield Text.assemble(("failed ", "bold red"), f"{run}: {facts.reason}")
        if facts.last_line and facts.last_line != facts.reason:
            yield Text(f"       its log ends: {facts.last_line}")
    yield from and_more(status.ids("failed"), listed)


def stale(status: Status, listed: int) -> Iterator[Text]:
    """One line for each reason; nothing is trained again for it."""
    for reason, number in Counter(status.stale.values()).most_common(listed):
        yield Text.assemble(("stale ", "yellow"), f"{count(number, 'run')}: {printable(reason)}")


def and_more(runs: list[str], listed: int) -> Iterator[Text]:
    if len(runs) > listed:
        yield Text(f"       and {len(runs) - listed} more; --json names all", style="dim")


def as_json(status: Status, retry: str | None) -> dict[str, Any]:
    """Return everything, for scripts; times are seconds."""
    return {
        "title": status.plan.title,
        "studies": {study.name: status.counts(study.runs) for study in status.plan.studies},
        "total": status.counts(status.runs),
        "seconds_left": status.seconds_left,
        "runs_of_unknown_time": status.unknown,
        "runs": {
            run: {
                "state": facts.state,
                "epochs": len(facts.record.epochs) if facts.record else facts.epochs,
                "machine": facts.machine,
                "reason": facts.reason,
                "last_line": facts.last_line,
                "stale": status.stale.get(run),
            }
            for run, facts in status.runs.items()
        },
        "retry": retry,
    }
