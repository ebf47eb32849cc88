"""Figures as inline SVG: the same bytes on every machine, in the page's own font and text colour."""

import html
import io
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from .results import METRICS, Configuration, curve

LABEL_LENGTH = 58  # characters that fit above a row
WIDTH = 3.9  # inches; 375 CSS pixels, so that text keeps its size on a phone
TEXT = "#010203"  # stands for the page's text colour, which differs between light and dark
# Okabe and Ito, "Color Universal Design", 2008, without black and yellow. style.css has them by number, and
# lighter ones for the dark page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = {"solid": "-", "dashed": "--", "dotted": ":"}  # as CSS and as matplotlib name them
STYLE: Any = {
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.alpha": 0.15,
    "grid.color": TEXT,
    "svg.fonttype": "none",
    "svg.hashsalt": "cifarbench",
    "text.color": TEXT,
    "text.parse_math": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


class Canvas:
    """An axes to draw on; `svg` holds the drawing once the block is over."""

    def __init__(self, axes: Axes) -> None:
        self.axes = axes
        self.svg = ""


@contextmanager
def drawing(name: str, height: float, alt: str) -> Iterator[Canvas]:
    """Yield a canvas of WIDTH x height inches; `name` keeps ids apart, `alt` says the finding in words."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        canvas = Canvas(figure.subplots())
        yield canvas
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        canvas.svg = _inline(buffer.getvalue(), name, alt)


def _inline(svg: str, name: str, alt: str) -> str:
    """Make an SVG file part of a page: own ids, the page's text colour, a description."""
    svg = svg[svg.index("<svg") :].replace(TEXT, "currentColor")
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(colour.lower(), f"var(--curve-{number})")
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<metadata>.*?</metadata>\n?", "", svg, flags=re.DOTALL)
    svg = re.sub(r"^<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', svg)
    return re.sub(r'(<svg [^>]*?) height="[^"]*"([^>]*?) width="[^"]*"', r"\1\2", svg)


def compare(name: str, configurations: list[Configuration], metric: str, alt: str) -> str:
    """Draw one row per configuration: a dot per seed, a tick at the mean, a line for its interval."""
    kind = METRICS[metric]
    shown = [c for c in configurations if metric in c.metrics]
    with drawing(name, 0.55 + 0.46 * len(shown), alt) as canvas:
        axes = canvas.axes
        for row, configuration in enumerate(shown):
            seeds = configuration.metrics[metric]
            values = [value * kind.factor for value in seeds.values]
            mean, half = seeds.mean * kind.factor, (seeds.half or 0) * kind.factor
            axes.axhline(row, color=TEXT, lw=0.5, alpha=0.2)
            axes.plot([mean - half, mean + half], [row, row], color=COLOURS[1], lw=1.5)
            axes.plot([mean], [row], "|", ms=11, mew=2, color=COLOURS[1])
            axes.plot(values, [row] * len(values), "o", ms=5, color=COLOURS[0], alpha=0.7, mew=0)
            label = textwrap.shorten(configuration.label, LABEL_LENGTH, placeholder=" …")
            axes.text(0, row - 0.2, label, transform=axes.get_yaxis_transform(), in_layout=False)
        axes.set_ylim(len(shown) - 0.6, -0.75)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel(f"{kind.title.lower()} ({kind.unit})" if kind.unit else kind.title.lower())
    return canvas.svg


def cost(name: str, configurations: list[Configuration], front: list[Configuration], alt: str) -> str:
    """Draw mean accuracy against mean training time with both intervals; a line joins the Pareto front,
    whose members are numbered."""
    with drawing(name, 3.1, alt) as canvas:
        axes = canvas.axes
        for c in configurations:
            seconds, accuracy = c.metrics["seconds"], c.metrics["accuracy"]
            axes.errorbar(
                seconds.mean,
                100 * accuracy.mean,
                xerr=min(seconds.half or 0, 0.9 * seconds.mean),  # a logarithmic axis has no zero
                yerr=100 * (accuracy.half or 0),
                fmt="o",
                ms=5,
                color=COLOURS[1] if c in front else COLOURS[0],
                elinewidth=0.8,
            )
        points = [(c.metrics["seconds"].mean, 100 * c.metrics["accuracy"].mean) for c in front]
        axes.plot(*zip(*points, strict=True), color=COLOURS[1], lw=1)
        for number, point in enumerate(points, 1):
            axes.annotate(str(number), point, xytext=(-4, 5), textcoords="offset points", ha="right")
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("training time (s), logarithmic")
        axes.set_title("test accuracy (%)", loc="left", size=9)
        axes.grid()
    return canvas.svg


def ways(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (way to compute, colour, dashes) as CSS takes them."""
    names = list(dict.fromkeys(row["way"] for row in rows))
    return [(name, f"var(--curve-{number})", "solid") for number, name in enumerate(names)]


def speed(name: str, rows: list[dict[str, Any]], alt: str) -> str:
    """Draw a row per model and batch size: a dot per way to compute at its ratio, a line to the quartiles."""
    cases = list(dict.fromkeys((row["model"], row["batch_size"]) for row in rows))
    names = [way for way, _, _ in ways(rows)]
    with drawing(name, 0.55 + 0.46 * len(cases), alt) as canvas:
        axes = canvas.axes
        axes.axvline(1, color=TEXT, lw=0.8, ls=":")
        for place, (model, batch_size) in enumerate(cases):
            axes.axhline(place, color=TEXT, lw=0.5, alpha=0.2)
            text = f"{model}, batch {batch_size}"
            axes.text(0, place - 0.2, text, transform=axes.get_yaxis_transform(), in_layout=False)
        for row in rows:
            place, colour = cases.index((row["model"], row["batch_size"])), COLOURS[names.index(row["way"])]
            axes.plot(row["ratio_quartiles"], [place, place], color=colour, lw=1.5)
            axes.plot([row["ratio"]], [place], "o", ms=5, color=colour, mew=0)
        axes.set_ylim(len(cases) - 0.6, -0.75)
        axes.set_xlim(left=0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel("images per second, times those of a naive loop")
    return canvas.svg


def line_style(index: int) -> tuple[int, str]:
    """Return (number of the colour, dashes by their CSS name) of the n-th curve."""
    return index % len(COLOURS), list(DASHES)[index // len(COLOURS) % len(DASHES)]


def legend(configurations: list[Configuration]) -> list[tuple[str, str, str]]:
    """Return (label, colour, dashes) of each curve, as CSS takes them."""
    styles = [line_style(index) for index in range(len(configurations))]
    return [
        (configuration.label, f"var(--curve-{number})", dashes)
        for configuration, (number, dashes) in zip(configurations, styles, strict=True)
    ]


def learning_curves(name: str, configurations: list[Configuration], field: str, alt: str) -> str:
    """Draw a field of the epochs: for each configuration the mean over seeds, a band to the extremes."""
    percent = 100 if "accuracy" in field else 1
    with drawing(name, 2.4, alt) as canvas:
        axes = canvas.axes
        for index, configuration in enumerate(configurations):
            values = percent * curve(configuration, field)
            number, dashes = line_style(index)
            colour = COLOURS[number]
            epochs = range(1, values.shape[1] + 1)
            marker = "o" if values.shape[1] == 1 else None
            axes.plot(epochs, values.mean(0), DASHES[dashes], color=colour, marker=marker)
            axes.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.15, lw=0)
        axes.set_xlabel("epoch")
        axes.set_title(field.replace("_", " ") + (" (%)" if percent == 100 else ""), loc="left", size=9)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid()
    return canvas.svg
