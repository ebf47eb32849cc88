"""Figures: SVG for the page, in its own font and text colour, and SVG and PDF files for papers.

The same bytes on every machine with the locked versions.
"""

import html
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from cifarbench.analysis.configuration import Configuration, Seeds
from cifarbench.analysis.predictions import calibration, curve, over_runs
from cifarbench.analysis.results import OnFront
from cifarbench.records.metrics import METRICS, Metric
from cifarbench.report.fonts import FAMILY, families
from cifarbench.report.words import printable, slug

LABEL_LENGTH = 58  # characters that fit above a row
BOTTOM = 0.45  # inches for the labels of the x axis
WIDTH = 3.9  # inches; 375 CSS pixels, so that text keeps its size on a phone
TEXT = "#010203"  # stands for the page's text colour, which differs between light and dark
# Okabe and Ito, "Color Universal Design", 2008, without black and yellow. style.css has them by number, and
# lighter ones for the dark page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("", "6,3", "2,2", "8,3,2,3")  # as SVG takes them
STYLE: Any = {
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.sans-serif": [FAMILY],
    "font.size": 9,
    "grid.alpha": 0.15,
    "grid.color": TEXT,
    "pdf.fonttype": 42,  # letters as such, which publishers ask for, instead of drawings of them
    "svg.fonttype": "none",
    "svg.hashsalt": "cifarbench",
    "text.color": TEXT,
    "text.parse_math": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


class Drawing(NamedTuple):
    """A finished figure: what it shows in words, and its files."""

    name: str
    alt: str
    svg: str
    pdf: bytes

    @property
    def inline(self) -> str:
        """The SVG as a part of the page: own ids, the page's font and colours, a description, few digits.

        Texts come from configs and tables, so only the tags are rewritten, and nothing is a pattern.
        """
        svg = re.sub(r"<metadata>.*?</metadata>", "", self.svg[self.svg.index("<svg") :], flags=re.DOTALL)
        svg = re.sub(r"<!--.*?-->|<[^>]*>|\s*\n\s*", self._part, svg, flags=re.DOTALL)
        return f'<svg role="img" aria-label="{html.escape(self.alt)}"' + svg.removeprefix("<svg")

    def _part(self, found: re.Match[str]) -> str:
        """Rewrite a tag, leave out a comment, and make one space of a line's end."""
        part = found[0]
        if part.isspace():
            return " "
        if part.startswith("<!--"):
            return ""
        part = re.sub(r"\s*\n\s*", " ", part).replace(TEXT, "currentColor")
        for number, colour in enumerate(COLOURS):
            part = part.replace(colour.lower(), f"var(--curve-{number})")
        if part.startswith("<svg "):
            part = re.sub(r' (?:height|width)="[^"]*"', "", part)
        part = re.sub(r'(\bid="|url\(#|href="#)', lambda start: f"{start[0]}{self.name}-", part)
        return re.sub(r"\d+\.\d{3,}", _rounded, re.sub("font-family: [^;]*; ", "", part))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}"


@dataclass
class Canvas:
    """Axes to draw on; the drawing is there once the block is over."""

    axes: Any
    drawing: Drawing | None = None

    @property
    def finished(self) -> Drawing:
        assert self.drawing is not None
        return self.drawing


@contextmanager
def canvas(
    name: str,
    alt: str,
    height: float,
    left: float = 0.05,
    top: float = 0.05,
    panels: tuple[int, int] = (1, 1),
) -> Iterator[Canvas]:
    """Yield a canvas of WIDTH x height inches for each panel, with room for labels to the left and on top.

    `name` is the file's and keeps ids apart, `alt` says the finding in words.
    """
    rows, columns = panels
    with matplotlib.rc_context(STYLE):
        width, height = WIDTH * columns, height * rows
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(left / width, BOTTOM / height, 1 - 0.1 / width, 1 - top / height)
        figure.subplots_adjust(hspace=(top + BOTTOM) * rows / (height - (top + BOTTOM) * rows), wspace=0.15)
        drawn = Canvas(figure.subplots(rows, columns))
        yield drawn
        drawn.drawing = _saved(figure, name, alt)


def _saved(figure: Figure, name: str, alt: str) -> Drawing:
    """Write a figure as both kinds of files, without anything that differs between two times."""
    for text in figure.findobj(Text):
        text.set_text(printable(text.get_text()))
        text.set_fontfamily(families(text.get_text()))
    svg, pdf = io.StringIO(), io.BytesIO()
    nothing = {"CreationDate": None, "Creator": None, "Producer": None}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # `families` has said so
        figure.savefig(svg, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        figure.savefig(pdf, format="pdf", transparent=True, metadata=nothing)
    return Drawing(slug(name), printable(alt), svg.getvalue(), pdf.getvalue())


def effect(name: str, configurations: list[Configuration], metric: str, alt: str) -> Drawing:
    """Draw one row per configuration: a dot per seed, a tick at the mean, a line for its interval."""
    kind = METRICS[metric]
    shown = [c for c in configurations if metric in c.metrics]
    with canvas(name, alt, 0.55 + 0.46 * len(shown)) as drawn:
        axes, rows = drawn.axes, range(len(shown))
        seeds = [c.metrics[metric] for c in shown]
        axes.hlines(rows, 0, 1, transform=axes.get_yaxis_transform(), color=TEXT, lw=0.5, alpha=0.2)
        ends = [[kind.factor * end for end in of.ends] for of in seeds]
        axes.hlines(rows, *zip(*ends, strict=True), color=COLOURS[1], lw=1.5)
        axes.plot([kind.factor * of.centre for of in seeds], rows, "|", ms=11, mew=2, color=COLOURS[1])
        dots = [(kind.factor * value, row) for row in rows for value in seeds[row].values]
        axes.plot(*zip(*dots, strict=True), "o", ms=5, color=COLOURS[0], alpha=0.7, mew=0)
        for row in rows:
            _name_row(axes, row, shown[row].label)
        _only_rows(axes, len(shown))
        axes.set_xlabel(axis(kind))
    return drawn.finished


def axis(metric: Metric) -> str:
    return metric.heading[0].lower() + metric.heading[1:]


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


def cost(
    name: str, configurations: list[Configuration], front: list[OnFront], kind: str, alt: str
) -> Drawing:
    """Draw mean accuracy against a cost with intervals in both directions; a line joins the Pareto front,
    whose members are numbered."""
    metric, members = METRICS[kind], [c for c, _ in front]
    with canvas(name, alt, 3.1, left=0.5, top=0.3) as drawn:
        axes = drawn.axes
        for shown, colour in ((configurations, COLOURS[0]), (members, COLOURS[1])):
            costs = [c.metrics[kind] for c in shown if kind in c.metrics]
            accuracies = [c.metrics["test_accuracy"] for c in shown if kind in c.metrics]
            axes.errorbar(
                [metric.factor * cost.centre for cost in costs],
                [100 * accuracy.centre for accuracy in accuracies],
                xerr=_arms(costs, metric.factor),
                yerr=_arms(accuracies, 100),
                fmt="o",
                ms=5,
                color=colour,
                elinewidth=0.8,
            )
        points = [
            (metric.factor * c.metrics[kind].centre, 100 * c.metrics["test_accuracy"].centre) for c in members
        ]
        axes.plot(*zip(*points, strict=True), color=COLOURS[1], lw=1)
        for number, point in enumerate(points, 1):
            axes.annotate(str(number), point, xytext=(-4, 5), textcoords="offset points", ha="right")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel(f"{axis(metric)}, logarithmic")
        axes.set_title("test accuracy (%)", loc="left", size=9)
        axes.grid()
    return drawn.finished


def _arms(seeds: list[Seeds], factor: float) -> np.ndarray:
    """Return how far lines reach below and above their centres, (2, n)."""
    ends = np.array([of.ends for of in seeds]).T
    return factor * np.abs(ends - [of.centre for of in seeds])


def ways(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (way to compute, colour, dashes) as SVG takes them."""
    names = list(dict.fromkeys(row["way"] for row in rows))
    return [(name, f"var(--curve-{number})", "") for number, name in enumerate(names)]


def speed(name: str, rows: list[dict[str, Any]], alt: str) -> Drawing:
    """Draw a row per model and batch size: a dot per way to compute at its ratio, a line to the quartiles."""
    cases = list(dict.fromkeys((row["model"], row["batch_size"]) for row in rows))
    names = [way for way, _, _ in ways(rows)]
    with canvas(name, alt, 0.55 + 0.46 * len(cases)) as drawn:
        axes = drawn.axes
        axes.axvline(1, color=TEXT, lw=0.8, ls=":")
        for place, (model, batch_size) in enumerate(cases):
            axes.axhline(place, color=TEXT, lw=0.5, alpha=0.2)
            _name_row(axes, place, f"{model}, batch {batch_size}")
        for row in rows:
            place, colour = cases.index((row["model"], row["batch_size"])), COLOURS[names.index(row["way"])]
            axes.plot(row["ratio_quartiles"], [place, place], color=colour, lw=1.5)
            axes.plot([row["ratio"]], [place], "o", ms=5, color=colour, mew=0)
        _only_rows(axes, len(cases))
        axes.set_xlim(left=0)
        axes.set_xlabel("images per second, times those of a naive loop")
    return drawn.finished


def line_style(index: int) -> tuple[int, str]:
    """Return (number of the colour, dashes as SVG takes them) of the n-th curve."""
    return index % len(COLOURS), DASHES[index // len(COLOURS) % len(DASHES)]


def legend(configurations: list[Configuration]) -> list[tuple[str, str, str]]:
    """Return (label, colour, dashes) of each curve, as SVG takes them."""
    styles = [line_style(index) for index in range(len(configurations))]
    return [
        (configuration.label, f"var(--curve-{number})", dashes)
        for configuration, (number, dashes) in zip(configurations, styles, strict=True)
    ]


def _drawn_style(index: int) -> dict[str, Any]:
    """Return the style of the n-th curve as matplotlib takes it."""
    number, dashes = line_style(index)
    pattern = (0, tuple(float(part) / 1.5 for part in dashes.split(","))) if dashes else "-"
    return {"color": COLOURS[number], "ls": pattern}


def learning_curves(name: str, configurations: list[Configuration], fields: list[str], alt: str) -> Drawing:
    """Draw four fields of the epochs: for each configuration the mean over seeds, a band to the extremes."""
    with canvas(name, alt, 2.6, left=0.5, top=0.3, panels=(2, 2)) as drawn:
        for axes, field in zip(drawn.axes.flat, fields, strict=True):
            percent = 100 if "accuracy" in field else 1
            for index, configuration in enumerate(configurations):
                values = percent * curve(configuration, field)
                epochs = range(1, values.shape[1] + 1)
                style = _drawn_style(index)
                marker = "o" if values.shape[1] == 1 else None
                mean, low, high = over_runs(values)
                axes.plot(epochs, mean, marker=marker, label=configuration.label, **style)
                axes.fill_between(epochs, low, high, color=style["color"], alpha=0.15, lw=0)
            axes.set_xlabel("epoch")
            axes.set_title(field.replace("_", " ") + (" (%)" if percent == 100 else ""), loc="left", size=9)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(5))
            axes.grid()
        drawn.axes.flat[0].legend(fontsize=6, frameon=False)
    return drawn.finished


def reliability(name: str, configurations: list[Configuration], alt: str) -> Drawing:
    """Draw how often each degree of confidence was right; on the diagonal, confidence is deserved."""
    with canvas(name, alt, 3.3, left=0.5, top=0.3) as drawn:
        axes = drawn.axes
        axes.plot([0, 100], [0, 100], color=TEXT, lw=0.8, ls=":")
        for index, configuration in enumerate(configurations):
            confidence, accuracy = calibration(configuration)
            axes.plot(100 * confidence, 100 * accuracy, marker="o", ms=3, **_drawn_style(index))
        axes.set_xlabel("confidence (%)")
        axes.set_title("right (%)", loc="left", size=9)
        axes.grid()
    return drawn.finished
