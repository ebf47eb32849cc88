"""How curves are told apart, the same on the page and in the files."""

from collections.abc import Sequence
from typing import Any

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.contrasts import same_runs

BANDED = 10  # seeds from which curves are drawn as a mean and a band
# Okabe and Ito, "Color Universal Design", 2008, without black and yellow. style.css has them by number, and
# lighter ones for the dark page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("", "6,3", "2,2", "8,3,2,3")  # as SVG takes them


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
