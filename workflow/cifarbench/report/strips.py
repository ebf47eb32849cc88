"""Strips: a row for each configuration with a dot for each seed, as HTML and SVG that need no script."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator

from cifarbench.analysis.configuration import Configuration, Seeds
from cifarbench.records.metrics import METRICS, Metric

MARGIN = 0.04  # of the axis, left free at both ends


class Entry(NamedTuple):
    """What a row shows: a value for each seed, what they amount to, and a published value."""

    label: str
    values: dict[int, float]
    seeds: Seeds | None
    published: float | None = None


class Row(NamedTuple):
    """A row, with places in percent of the axis: dots and what they say, centre, interval, published one."""

    label: str
    says: str
    dots: list[tuple[float, str]]
    centre: float | None
    ends: tuple[float, float] | None
    published: tuple[float, str] | None


class Strips(NamedTuple):
    """Rows on one axis, its ticks, and what the figure shows in words."""

    heading: str
    rows: list[Row]
    ticks: list[tuple[float, str]]
    alt: str


def strips(entries: Sequence[Entry], metric: Metric, alt: str, says: Sequence[str] = ()) -> Strips:
    """Lay rows out on one axis; `says` stands beside each row's label."""
    low, high = _axis(entries, metric)

    def place(value: float) -> float:
        return round(100 * (min(max(value, low), high) - low) / (high - low), 2)

    rows = [
        Row(
            entry.label,
            said,
            [(place(value), f"seed {seed}: {metric.write(value)}") for seed, value in entry.values.items()],
            place(entry.seeds.centre) if entry.seeds and len(entry.values) > 1 else None,
            _ends(entry.seeds, place),
            None
            if entry.published is None
            else (place(entry.published), f"published: {metric.write(entry.published)}"),
        )
        for entry, said in zip(entries, says or [""] * len(entries), strict=True)
    ]
    ticks = np.array(MaxNLocator(4).tick_values(low * metric.factor, high * metric.factor)) / metric.factor
    shown = [(place(tick), _tick(tick, metric)) for tick in ticks if low <= tick <= high]
    return Strips(metric.heading, rows, shown, alt)


def _axis(entries: Sequence[Entry], metric: Metric) -> tuple[float, float]:
    """Return the ends of the axis: all that is shown, and a margin; of a share, within 0 and 1."""
    values = [value for entry in entries for value in entry.values.values()]
    values += [entry.published for entry in entries if entry.published is not None]
    values += [end for e in entries if e.seeds for end in (e.seeds.low, e.seeds.high) if end is not None]
    low, high = min(values), max(values)
    margin = MARGIN * (high - low) or abs(high) * MARGIN or 1.0
    least, most = (0.0, 1.0) if metric.is_share else (-np.inf, np.inf)
    return max(least, low - margin), min(most, high + margin)


def _ends(seeds: Seeds | None, place: Callable[[float], float]) -> tuple[float, float] | None:
    if seeds is None or seeds.low is None or seeds.high is None:
        return None
    return place(seeds.low), place(seeds.high)


def _tick(value: float, metric: Metric) -> str:
    return f"{value * metric.factor:,.10g}"


def entry(configuration: Configuration, metric: str) -> Entry:
    column = METRICS[metric].column
    assert column is not None
    values = {seed: float(v) for seed, v in configuration.by_seed(column).items() if v == v}
    return Entry(configuration.label, values, configuration.metrics.get(metric))
