"""Interactive charts: Vega-Lite specifications, which page.js draws, and the rows that they show.

Everything is in the page: the library once, each specification once, and rows for each chart.
"""

import functools
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import altair as alt
import numpy as np

from cifarbench.analysis.configuration import COSTS, Configuration
from cifarbench.analysis.predictions import curve, over_runs
from cifarbench.analysis.results import OnFront
from cifarbench.records.metrics import METRICS
from cifarbench.report.figures import axis, legend

POINTS = 60  # of one curve; longer ones are thinned
ROWS = alt.NamedData("rows")  # page.js fills it
STYLE: dict[str, Any] = {
    "axis": {
        "domainColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.15,
        "labelColor": "currentColor",
        "labelFontSize": 12,
        "tickColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    },
    "aria": False,  # the figure says it in words
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
}


@functools.cache
def library() -> Future[str]:
    """Return Vega, Vega-Lite and Vega-Embed as one script, which another process begins to bundle."""
    program = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
    call = [sys.executable, "-c", program]
    return ThreadPoolExecutor(1).submit(
        lambda: subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout.decode()
    )


def specifications() -> dict[str, Any]:
    """Return every kind of chart by its name."""
    return {"curves": _curves(), **{f"cost-{kind}": _cost(kind) for kind in COSTS}}


def _finished(chart: alt.LayerChart | alt.FacetChart) -> dict[str, Any]:
    return dict(chart.properties(width="container", height=220).configure(**STYLE).to_dict())


def _curves() -> dict[str, Any]:
    """A line per curve with a band from the lowest to the highest seed; those in `hidden` are left out."""
    hidden, epochs = alt.param(name="hidden", value=[]), alt.Scale(zero=False, nice=False)
    base = (
        alt.Chart(ROWS)
        .transform_filter("indexof(hidden, datum.label) < 0")
        .encode(
            x=alt.X("epoch:Q", title="epoch", scale=epochs, axis=alt.Axis(tickMinStep=1, grid=False)),
            color=alt.Color("colour:N", scale=None),
            detail="label:N",
        )
    )
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False))
    numbers = [alt.Tooltip(f"{name}:Q", format=".4~g") for name in ("epoch", "mean", "low", "high")]
    band = base.mark_area(opacity=0.15).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(strokeWidth=1.8).encode(y=y, strokeDash=alt.StrokeDash("dash:N", scale=None))
    seen = alt.Opacity("point:Q", scale=None)
    aim = base.mark_point(size=120, filled=True).encode(y=y, opacity=seen, tooltip=["label:N", *numbers])
    return _finished(alt.layer(band, line, aim).add_params(hidden))


def _cost(kind: str) -> dict[str, Any]:
    """A point per configuration with its intervals, and a line along the Pareto front."""
    title, scale = f"{axis(METRICS[kind])}, logarithmic", alt.Scale(type="log", nice=False, padding=12)
    x = alt.X("cost:Q", title=title, scale=scale, axis=alt.Axis(grid=False, format="~s"))
    y = alt.Y("accuracy:Q", title=None, scale=alt.Scale(zero=False))
    base = alt.Chart(ROWS).encode(color=alt.Color("colour:N", scale=None))
    upright = base.mark_rule().encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    across = base.mark_rule().encode(x=alt.X("cost_low:Q", title=title), x2="cost_high:Q", y=y)
    front = base.transform_filter("datum.front").mark_line(color="var(--curve-1)").encode(x=x, y=y)
    told = [alt.Tooltip(f"{name}:N") for name in ("label", "says")]
    point = base.mark_point(size=60, opacity=1, filled=True).encode(x=x, y=y, tooltip=told)
    return _finished(alt.layer(upright, across, front, point))


def curve_rows(configurations: list[Configuration], fields: list[str]) -> dict[str, Any]:
    """Return the curves by number, and for each field rows of (curve, epoch, mean, low, high)."""
    return {
        "columns": ["epoch", "mean", "low", "high"],
        "curves": [
            {
                "label": label,
                "colour": colour,
                "dash": [float(d) for d in dashes.split(",") if d] or [1, 0],
                "point": int(curve(configuration, "epoch").shape[1] == 1),
            }
            for configuration, (label, colour, dashes) in zip(
                configurations, legend(configurations), strict=True
            )
        ],
        "rows": {field: _rows_of(configurations, field) for field in fields},
    }


def _rows_of(configurations: list[Configuration], field: str) -> list[list[float]]:
    rows = []
    for number, configuration in enumerate(configurations):
        values = (100 if "accuracy" in field else 1) * curve(configuration, field)
        epochs = np.unique(np.linspace(0, values.shape[1] - 1, POINTS).round().astype(int))
        thin = values[:, epochs]
        figures = over_runs(thin).T
        rows += [
            [number, int(epoch) + 1, *(rounded(value) for value in three)]
            for epoch, three in zip(epochs, figures, strict=True)
            if not np.isnan(three).any()
        ]
    return rows


def rounded(value: float) -> float:
    """Keep four digits, which is more than a chart shows."""
    return float(f"{value:.4g}")


def is_thinned(configurations: list[Configuration]) -> bool:
    return any(curve(c, "epoch").shape[1] > POINTS for c in configurations)


def cost_rows(
    configurations: list[Configuration], fronts: dict[str, list[OnFront]]
) -> dict[str, list[dict[str, Any]]]:
    """Return for each kind of cost a row per configuration."""
    return {
        kind: [
            _cost_row(c, kind, c.key in {member.key for member, _ in front})
            for c in configurations
            if kind in c.metrics
        ]
        for kind, front in fronts.items()
    }


def _cost_row(c: Configuration, kind: str, front: bool) -> dict[str, Any]:
    accuracy, cost, metric = c.metrics["test_accuracy"], c.metrics[kind], METRICS[kind]
    low, high = (rounded(100 * end) for end in accuracy.ends)
    cost_low, cost_high = (rounded(metric.factor * end) for end in cost.ends)
    return {
        "label": c.label,
        "says": f"{100 * accuracy.centre:.2f} %, {metric.title.lower()} {metric.write(cost.centre)}",
        "colour": f"var(--curve-{int(front)})",
        "front": front,
        "accuracy": rounded(100 * accuracy.centre),
        "low": low,
        "high": high,
        "cost": rounded(metric.factor * cost.centre),
        "cost_low": cost_low,
        "cost_high": cost_high,
    }
