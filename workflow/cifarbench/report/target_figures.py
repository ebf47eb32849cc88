"""The figure of what it takes to reach an accuracy, for papers."""

from cifarbench.analysis.targets import EFFORTS, Reached
from cifarbench.report.drawing import Drawing, canvas
from cifarbench.report.figures import draw_seeds, name_row, only_rows
from cifarbench.report.words import axis


def work(name: str, found: dict[float, list[Reached]], alt: str) -> Drawing:
    """Draw a panel for each target, in it a row for each configuration: a dot for each run that got there,
    their mean and its interval, and how many did not."""
    metric = EFFORTS["flops"]
    members = [one.configuration for one in next(iter(found.values()))]
    with canvas(name, alt, members, 0.8 + 0.4 * len(members), top=0.25, panels=len(found)) as drawn:
        for axes, (target, ones) in zip(drawn.panels, found.items(), strict=True):
            for place, one in enumerate(ones):
                missed, seeds = one.runs - one.reached, one.over_seeds("flops")
                short = f": not reached in {missed} of {one.runs}" if missed else ""
                name_row(axes, place, one.configuration.label + short)
                if seeds:
                    draw_seeds(axes, place, seeds, metric.factor)
            only_rows(axes, len(ones))
            axes.set_xlim(left=0)
            axes.set_title(f"until {100 * target:g} %", loc="left", size=8)
            axes.set_xlabel(axis(metric))
    return drawn.finished
