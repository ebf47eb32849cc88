"""Figures of a search, for papers."""

from itertools import chain

import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.search import BestOf, accuracies, is_logarithmic
from cifarbench.report.drawing import Drawing, canvas
from cifarbench.report.styles import drawn_style


def knobs(
    name: str, groups: dict[str, list[Configuration]], varied: list[str], part: str, title: str
) -> Drawing:
    """Draw a panel for each knob: a point per configuration, the knob's value and the mean accuracy."""
    alt = f"{title}: {part} accuracy (%) against {', '.join(varied)}"
    members = list(chain.from_iterable(groups.values()))
    keys = len(groups) if len(groups) > 1 else 0
    with canvas(name, alt, members, 1.75, left=0.45, top=0.25, panels=len(varied), key=keys) as drawn:
        for axes, knob in zip(drawn.panels, varied, strict=True):
            for place, own in enumerate(groups.values()):
                values = [float(c.first(f"config.{knob}")) for c in own]
                axes.plot(values, 100 * accuracies(own, part), "o", ms=3, color=drawn_style(place)["color"])
            if is_logarithmic(np.array([c.first(f"config.{knob}") for c in members], float)):
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_title(knob.replace("_", " "), loc="left", size=8)
            axes.grid()
        if keys:
            drawn.key([(label, drawn_style(place)) for place, label in enumerate(groups)])
    return drawn.finished


def budget(name: str, configurations: list[Configuration], methods: list[BestOf], alt: str) -> Drawing:
    """Draw the expected best of k draws with a standard deviation around it."""
    keys = len(methods) if len(methods) > 1 else 0
    with canvas(name, alt, configurations, 2.6, left=0.45, top=0.3, key=keys) as drawn:
        [axes] = drawn.panels
        for place, best in enumerate(methods):
            draws, style = range(1, len(best.mean) + 1), drawn_style(place)
            axes.plot(draws, 100 * best.mean, lw=1, **style)
            low, high = (100 * (best.mean + sign * best.deviation).clip(0, 1) for sign in (-1, 1))
            axes.fill_between(draws, low, high, color=style["color"], alpha=0.15, lw=0)
        if keys:
            drawn.key([(best.label, drawn_style(place)) for place, best in enumerate(methods)])
        axes.set_xlabel("draws")
        axes.set_title("expected best accuracy (%)", loc="left", size=8)
        axes.grid()
    return drawn.finished
