"""What the figures for papers show: differences, costs, speed, learning curves, calibration."""

import textwrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from cifarbench.analysis.configuration import Configuration, Seeds
from cifarbench.analysis.predictions import calibration, curve, over_runs
from cifarbench.records.metrics import METRICS
from cifarbench.report.drawing import Drawing, canvas
from cifarbench.report.styles import BANDED, COLOURS, drawn_style, line_styles
from cifarbench.report.words import axis

LABEL_LENGTH = 52  # characters that fit above a row


def effect(name: str, configurations: list[Configuration], metric: str, alt: str) -> Drawing:
    """Draw one row per configuration: a dot per seed, a tick at the centre, a line for its interval."""
    kind = METRICS[metric]
    with canvas(name, alt, configurations, 0.55 + 0.4 * len(configurations)) as drawn:
        axes, rows = drawn.axes, range(len(configurations))
        axes.hlines(rows, 0, 1, transform=axes.get_yaxis_transform(), color="black", lw=0.5, alpha=0.2)
        for row, c in zip(rows, configurations, strict=True):
            draw_seeds(axes, row, c.metrics[metric], kind.factor)
            name_row(axes, row, c.label)
        only_rows(axes, len(configurations))
        axes.set_xlabel(axis(kind))
    return drawn.finished


def draw_seeds(axes: Axes, row: int, seeds: Seeds, factor: float) -> None:
    if seeds.low is not None and seeds.high is not None:
        axes.hlines(row, factor * seeds.low, factor * seeds.high, color=COLOURS[1], lw=1.5)
    axes.plot([factor * seeds.centre], [row], "|", ms=11, mew=2, color=COLOURS[1])
    dots = [factor * value for value in seeds.values]
    axes.plot(dots, [row] * len(dots), "o", ms=4, color=COLOURS[0], alpha=0.7, mew=0)


def name_row(axes: Axes, row: int, label: str) -> None:
    text = textwrap.shorten(label, LABEL_LENGTH, placeholder=" …")
    axes.text(0, row - 0.2, text, transform=axes.get_yaxis_transform())


def only_rows(axes: Axes, rows: int) -> None:
    """Leave rows, first on top, in place of a y axis."""
    axes.set_ylim(rows - 0.6, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))


def cost(
    name: str, configurations: list[Configuration], front: list[Configuration], kind: str, alt: str
) -> Drawing:
    """Draw mean accuracy against a cost with intervals in both directions; a line joins the Pareto front,
    whose members are numbered, and named below."""
    with canvas(name, alt, configurations, 2.6, left=0.45, top=0.3, key=len(front)) as drawn:
        axes = drawn.axes
        for members, colour in ((configurations, COLOURS[0]), (front, COLOURS[1])):
            for c in members:
                _priced(axes, c, kind, colour)
        points = [_point(c, kind) for c in front]
        axes.plot(*zip(*points, strict=True), color=COLOURS[1], lw=1)
        for number, point in enumerate(points, 1):
            axes.annotate(str(number), point, xytext=(-4, 5), textcoords="offset points", ha="right")
        drawn.key([(f"{number}  {c.label}", None) for number, c in enumerate(front, 1)])
        _logarithmic(axes)
        axes.set_xlabel(f"{axis(METRICS[kind])}, logarithmic")
        axes.set_title("test accuracy (%)", loc="left", size=8)
        axes.grid()
    return drawn.finished


def _point(c: Configuration, kind: str) -> tuple[float, float]:
    return METRICS[kind].factor * c.metrics[kind].centre, 100 * c.metrics["test_accuracy"].centre


def _priced(axes: Axes, c: Configuration, kind: str, colour: str) -> None:
    """Draw a configuration's means as a dot, and their intervals."""
    (x, y), price, accuracy = _point(c, kind), c.metrics[kind], c.metrics["test_accuracy"]
    axes.plot([x], [y], "o", ms=4, color=colour)
    if accuracy.low is not None and accuracy.high is not None:
        axes.vlines(x, 100 * accuracy.low, 100 * accuracy.high, color=colour, lw=0.8)
    if METRICS[kind].varies and price.low is not None and price.high is not None:
        ends = (METRICS[kind].factor * price.low, METRICS[kind].factor * price.high)
        axes.hlines(y, *ends, color=colour, lw=0.8)


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def speed(name: str, rows: list[dict[str, Any]], alt: str) -> Drawing:
    """Draw a row per model and batch size: a dot per way to compute at its ratio, a line to the quartiles."""
    cases = list(dict.fromkeys((row["model"], row["batch_size"]) for row in rows))
    names = list(dict.fromkeys(row["way"] for row in rows))
    with canvas(name, alt, [], 0.55 + 0.4 * len(cases), key=len(names)) as drawn:
        axes = drawn.axes
        axes.axvline(1, color="black", lw=0.8, ls=":")
        for place, (model, batch_size) in enumerate(cases):
            axes.axhline(place, color="black", lw=0.5, alpha=0.2)
            name_row(axes, place, f"{model}, batch {batch_size}")
        for row in rows:
            place, colour = cases.index((row["model"], row["batch_size"])), COLOURS[names.index(row["way"])]
            axes.plot(row["ratio_quartiles"], [place, place], lw=1.5, color=colour)
            axes.plot([row["ratio"]], [place], "o", ms=4, mew=0, color=colour)
        drawn.key([(way, drawn_style(index)) for index, way in enumerate(names)])
        only_rows(axes, len(cases))
        axes.set_xlim(left=0)
        axes.set_xlabel("images per second, times those of a naive loop")
    return drawn.finished


def learning_curves(name: str, configurations: list[Configuration], fields: list[str], alt: str) -> Drawing:
    """Draw fields of the epochs: a line for each seed, or of many seeds their mean and a band."""
    styles = [drawn_style(*style) for style in line_styles(configurations)]
    room: Any = {"left": 0.45, "top": 0.25, "panels": len(fields), "key": len(configurations)}
    with canvas(name, alt, configurations, 1.75, **room) as drawn:
        for axes, field in zip(drawn.panels, fields, strict=True):
            factor = 100 if "accuracy" in field else 1
            for c, style in zip(configurations, styles, strict=True):
                _curve(axes, factor * curve(c, field), style)
            axes.set_xlabel("epoch")
            axes.set_title(field.replace("_", " ") + (" (%)" if factor == 100 else ""), loc="left", size=8)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(4))
            axes.grid()
        drawn.key(list(zip([c.label for c in configurations], styles, strict=True)))
    return drawn.finished


def _curve(axes: Axes, values: np.ndarray, style: dict[str, Any]) -> None:
    """Draw the runs of a configuration, (runs, epochs)."""
    epochs = range(1, values.shape[1] + 1)
    marker = "o" if values.shape[1] == 1 else None
    if len(values) <= BANDED:
        axes.plot(epochs, values.T, marker=marker, ms=3, lw=0.8, **style)
        return
    mean, low, high = over_runs(values)
    axes.plot(epochs, mean, marker=marker, ms=3, lw=1.2, **style)
    axes.fill_between(epochs, low, high, color=style["color"], alpha=0.15, lw=0)


def reliability(name: str, configurations: list[Configuration], alt: str) -> Drawing:
    """Draw how often each degree of confidence was right; on the diagonal, confidence is deserved."""
    styles = [drawn_style(*style) for style in line_styles(configurations)]
    with canvas(name, alt, configurations, 2.6, left=0.45, top=0.3, key=len(configurations)) as drawn:
        axes = drawn.axes
        axes.plot([0, 100], [0, 100], color="black", lw=0.8, ls=":")
        for c, style in zip(configurations, styles, strict=True):
            confidence, accuracy = calibration(c)
            axes.plot(100 * confidence, 100 * accuracy, marker="o", ms=3, lw=1, **style)
        drawn.key(list(zip([c.label for c in configurations], styles, strict=True)))
        axes.set_xlabel("confidence (%)")
        axes.set_title("right (%)", loc="left", size=8)
        axes.grid()
    return drawn.finished
