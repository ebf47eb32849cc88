"""Files of figures for papers: SVG and PDF of one column's width, each with its legend and a caption.

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

from cifarbench.analysis.configuration import Configuration
from cifarbench.report.fonts import FAMILY, families, light
from cifarbench.report.words import printable, slug
from cifarbench.words import count, listed

KEY_LENGTH = 46  # characters that fit in a legend
KEY_LINE = 0.16  # inches of a legend's line
BOTTOM = 0.45  # inches for the labels of the x axis
WIDTH = 3.4  # inches, of a column of two on a page
RIGHT = 0.2  # inches, for half of the last number of an axis
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

    def key(self, entries: Sequence[tuple[str, dict[str, Any] | None]]) -> None:
        """Write the legend: labels, each with a sample of its curve's style if it has one."""
        for place, (label, style) in enumerate(entries, 1):
            below = (len(entries) - place) * KEY_LINE
            y, start = (below + 0.06) / self.figure.get_figheight(), 0.1 / WIDTH
            if style is not None:
                ends, middle = [start, start + 0.3 / WIDTH], y + 0.035 / self.figure.get_figheight()
                self.figure.add_artist(
                    Line2D(ends, [middle, middle], transform=self.figure.transFigure, **style)
                )
                start += 0.38 / WIDTH
            self.figure.text(start, y, textwrap.shorten(label, KEY_LENGTH, placeholder=" …"), size=7)


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
        figure.subplots_adjust(left / WIDTH, (BOTTOM + foot) / whole, 1 - RIGHT / WIDTH, 1 - top / whole)
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
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # `families` has said so
        said = {"Date": None, "Creator": None, "Title": name, "Description": caption}
        figure.savefig(svg, format="svg", transparent=True, metadata=said)
        for text in figure.findobj(Text):
            text.set_fontfamily([light(), *text.get_fontfamily()])
        said = {"CreationDate": None, "Creator": None, "Producer": None, "Title": name, "Subject": caption}
        figure.savefig(pdf, format="pdf", transparent=True, metadata=said)
    return Drawing(name, caption, svg.getvalue(), pdf.getvalue())
