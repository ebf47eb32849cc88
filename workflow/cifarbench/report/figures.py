"""Figures for papers: SVG and PDF files of one column's width, each with its legend and a caption.

The same bytes on every machine with the locked versions.
"""

import io
import logging
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.contrasts import same_runs
from cifarbench.analysis.predictions import calibration, curve, over_runs
from cifarbench.records.metrics import METRICS, Metric
from cifarbench.report.fonts import FAMILY, families
from cifarbench.report.words import printable, slug
from cifarbench.words import count, listed

LABEL_LENGTH = 52  # characters that fit above a row
KEY_LENGTH = 46  # and in a legend
BOTTOM = 0.45  # inches for the labels of the x axis
KEY_LINE = 0.16  # inches of a legend's line
WIDTH = 3.4  # inches, of a column of two on a page
BANDED = 10  # seeds from which curves are drawn as a mean and a band
# Okabe and Ito, "Color Universal Design", 2008, without black and yellow. style.css has them by number, and
# lighter ones for the dark page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("", "6,3", "2,2", "8,3,2,3")  # as SVG takes them
STYLE: Any = {
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.sans-serif": [FAMILY],
    "font.size": 8,
    "grid.alpha": 0.15,
    "pdf.fonttype": 42,  # letters as such, which publishers ask for, instead of drawings of them
    "svg.fonttype": "none",
    "svg.hashsalt": "cifarbench",
    "text.parse_math": False,
}

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every font that it cuts


class Drawing(NamedTuple):
    """A finished figure: its name as a file, its caption, and its files."""

    name: str
    caption: str
    svg: str
    pdf: bytes


class Plot(NamedTuple):
    """A figure to be drawn: its name as a file, and how."""

    name: str
    draw: Callable[[], Drawing]


def plot(draw: Callable[..., Drawing], name: str, *about: Any) -> Plot:
    return Plot(slug(name), partial(draw, name, *about))


@dataclass
class Canvas:
    """Axes to draw on; the drawing is there once the block is over."""

    figure: Figure
    axes: Any
    drawing: Drawing | None = None

    @property
    def panels(self) -> list[Axes]:
        return list(np.atleast_1d(self.axes))

    @property
    def finished(self) -> Drawing:
        assert self.drawing is not None
        return self.drawing


@contextmanager
def canvas(
    name: str,
    alt: str,
    configurations: Sequence[Configuration],
    height: float,
    left: float = 0.05,
    top: float = 0.05,
    panels: int = 1,
    key: int = 0,
) -> Iterator[Canvas]:
    """Yield as many panels as wanted, one below the other, each WIDTH x height inches, with room for labels
    to the left and on top, and for a legend of `key` lines at the bottom.

    `name` is the file's, `alt` says the finding in words and becomes the caption, with data and seeds of the
    configurations.
    """
    with matplotlib.rc_context(STYLE):
        foot = key * KEY_LINE
        whole = panels * height + foot
        figure = Figure(figsize=(WIDTH, whole))
        figure.subplots_adjust(left / WIDTH, (BOTTOM + foot) / whole, 1 - 0.1 / WIDTH, 1 - top / whole)
        inner = height - top - BOTTOM
        figure.subplots_adjust(hspace=(top + BOTTOM) / inner)
        drawn = Canvas(figure, figure.subplots(panels))
        yield drawn
        drawn.drawing = _saved(figure, slug(name), f"{alt}. {_of_what(configurations)}".strip())


def _of_what(configurations: Sequence[Configuration]) -> str:
    """Say the data set and how many seeds there are of each configuration."""
    if not configurations:
        return ""
    names = sorted({str(c.first("data.name")) for c in configurations})
    seeds = sorted({len(c.runs) for c in configurations})
    said = " to ".join(str(n) for n in dict.fromkeys((seeds[0], seeds[-1])))
    return f"Data set {listed(names)}; n = {said} seeds of {count(len(configurations), 'configuration')}."


def _saved(figure: Figure, name: str, caption: str) -> Drawing:
    """Write a figure as both kinds of files, without anything that differs between two times."""
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
        text.set_fontfamily(families(text.get_text()))
    caption = printable(caption)
    svg, pdf = io.StringIO(), io.BytesIO()
    nothing = {"CreationDate": None, "Creator": None, "Producer": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # `families` has said so
        said = {"Date": None, "Creator": None, "Title": name, "Description": caption}
        figure.savefig(svg, format="svg", transparent=True, metadata=said)
        figure.savefig(
            pdf, format="pdf", transparent=True, metadata={**nothing, "Title": name, "Subject": caption}
        )
    return Drawing(name, caption, svg.getvalue(), pdf.getvalue())


def effect(name: str, configurations: list[Configuration], metric: str, alt: str) -> Drawing:
    """Draw one row per configuration: a dot per seed, a tick at the centre, a line for its interval."""
    kind = METRICS[metric]
    with canvas(name, alt, configurations, 0.55 + 0.4 * len(configurations)) as drawn:
        axes, rows = drawn.axes, range(len(configurations))
        axes.hlines(rows, 0, 1, transform=axes.get_yaxis_transform(), color="black", lw=0.5, alpha=0.2)
        for row, c in zip(rows, configurations, strict=True):
            seeds = c.metrics[metric]
            if seeds.low is not None and seeds.high is not None:
                axes.hlines(row, kind.factor * seeds.low, kind.factor * seeds.high, color=COLOURS[1], lw=1.5)
            axes.plot([kind.factor * seeds.centre], [row], "|", ms=11, mew=2, color=COLOURS[1])
            dots = [kind.factor * value for value in seeds.values]
            axes.plot(dots, [row] * len(dots), "o", ms=4, color=COLOURS[0], alpha=0.7, mew=0)
            _name_row(axes, row, c.label)
        _only_rows(axes, len(configurations))
        axes.set_xlabel(axis(kind))
    return drawn.finished


def _name_row(axes: Axes, row: int, label: str) -> None:
    text = textwrap.shorten(label, LABEL_LENGTH, placeholder=" …")
    axes.text(0, row - 0.2, text, transform=axes.get_yaxis_transform())


def _only_rows(axes: Axes, rows: int) -> None:
    """Leave rows, first on top, in place of a y axis."""
    axes.set_ylim(rows - 0.6, -0.75)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_locator(MaxNLocator(5))


def axis(metric: Metric) -> str:
    """Name an axis; capitals after the first letter stay."""
    return metric.heading[:1].lower() + metric.heading[1:]


def cost(
    name: str, configurations: list[Configuration], front: list[Configuration], kind: str, alt: str
) -> Drawing:
    """Draw mean accuracy against a cost with intervals in both directions; a line joins the Pareto front,
    whose members are numbered, and named below."""
    metric = METRICS[kind]
    with canvas(name, alt, configurations, 2.6, left=0.45, top=0.3, key=len(front)) as drawn:
        axes = drawn.axes
        for members, colour in ((configurations, COLOURS[0]), (front, COLOURS[1])):
            for c in members:
                price, accuracy = c.metrics[kind], c.metrics["test_accuracy"]
                axes.plot([metric.factor * price.centre], [100 * accuracy.centre], "o", ms=4, color=colour)
                if accuracy.low is not None and accuracy.high is not None:
                    ends = (100 * accuracy.low, 100 * accuracy.high)
                    axes.vlines(metric.factor * price.centre, *ends, color=colour, lw=0.8)
                if metric.varies and price.low is not None and price.high is not None:
                    ends = (metric.factor * price.low, metric.factor * price.high)
                    axes.hlines(100 * accuracy.centre, *ends, color=colour, lw=0.8)
        points = [
            (metric.factor * c.metrics[kind].centre, 100 * c.metrics["test_accuracy"].centre) for c in front
        ]
        axes.plot(*zip(*points, strict=True), color=COLOURS[1], lw=1)
        for number, point in enumerate(points, 1):
            axes.annotate(str(number), point, xytext=(-4, 5), textcoords="offset points", ha="right")
        for number, c in enumerate(front, 1):
            write_key(drawn, len(front) - number, f"{number}  {c.label}", None)
        _logarithmic(axes)
        axes.set_xlabel(f"{axis(metric)}, logarithmic")
        axes.set_title("test accuracy (%)", loc="left", size=8)
        axes.grid()
    return drawn.finished


def _logarithmic(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())


def write_key(drawn: Canvas, line: int, label: str, style: dict[str, Any] | None) -> None:
    """Write a line of the legend, counted from the bottom; with a sample of the curve's style."""
    figure = drawn.figure
    height = figure.get_figheight()
    y, start = (line * KEY_LINE + 0.06) / height, 0.1 / WIDTH
    if style is not None:
        x = [start, start + 0.3 / WIDTH]
        middle = y + 0.035 / height
        figure.add_artist(Line2D(x, [middle, middle], transform=figure.transFigure, **style))
        start += 0.38 / WIDTH
    figure.text(start, y, textwrap.shorten(label, KEY_LENGTH, placeholder=" …"), size=7)


def speed(name: str, rows: list[dict[str, Any]], alt: str) -> Drawing:
    """Draw a row per model and batch size: a dot per way to compute at its ratio, a line to the quartiles."""
    cases = list(dict.fromkeys((row["model"], row["batch_size"]) for row in rows))
    names = list(dict.fromkeys(row["way"] for row in rows))
    with canvas(name, alt, [], 0.55 + 0.4 * len(cases), key=len(names)) as drawn:
        axes = drawn.axes
        axes.axvline(1, color="black", lw=0.8, ls=":")
        for place, (model, batch_size) in enumerate(cases):
            axes.axhline(place, color="black", lw=0.5, alpha=0.2)
            _name_row(axes, place, f"{model}, batch {batch_size}")
        for row in rows:
            place, style = (
                cases.index((row["model"], row["batch_size"])),
                drawn_style(names.index(row["way"])),
            )
            axes.plot(row["ratio_quartiles"], [place, place], lw=1.5, color=style["color"])
            axes.plot([row["ratio"]], [place], "o", ms=4, mew=0, color=style["color"])
        for index, way in enumerate(names):
            write_key(drawn, len(names) - 1 - index, way, drawn_style(index))
        _only_rows(axes, len(cases))
        axes.set_xlim(left=0)
        axes.set_xlabel("images per second, times those of a naive loop")
    return drawn.finished


def line_styles(configurations: Sequence[Configuration]) -> list[tuple[int, str]]:
    """Return (number of the colour, dashes as SVG takes them) of each curve; what coincides is dashed."""
    styles: list[tuple[int, str]] = []
    for index, c in enumerate(configurations):
        alike = sum(same_runs(c, other) for other in configurations[:index])
        styles.append((index % len(COLOURS), DASHES[(index // len(COLOURS) + alike) % len(DASHES)]))
    return styles


def legend(configurations: Sequence[Configuration]) -> list[tuple[str, str, str]]:
    """Return (label, colour, dashes) of each curve, as SVG takes them."""
    return [
        (configuration.label, f"var(--curve-{number})", dashes)
        for configuration, (number, dashes) in zip(configurations, line_styles(configurations), strict=True)
    ]


def drawn_style(colour: int, dashes: str = "") -> dict[str, Any]:
    """Return a curve's style as matplotlib takes it."""
    pattern: Any = (0, tuple(float(part) / 1.5 for part in dashes.split(","))) if dashes else "-"
    return {"color": COLOURS[colour % len(COLOURS)], "ls": pattern}


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
        for index, (c, style) in enumerate(zip(configurations, styles, strict=True)):
            write_key(drawn, len(configurations) - 1 - index, c.label, style)
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
        for index, (c, style) in enumerate(zip(configurations, styles, strict=True)):
            confidence, accuracy = calibration(c)
            axes.plot(100 * confidence, 100 * accuracy, marker="o", ms=3, lw=1, **style)
            write_key(drawn, len(configurations) - 1 - index, c.label, style)
        axes.set_xlabel("confidence (%)")
        axes.set_title("right (%)", loc="left", size=8)
        axes.grid()
    return drawn.finished
