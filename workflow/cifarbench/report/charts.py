"""Interactive charts: Vega-Lite specifications, which page.js draws, and the rows that they show.

Everything is in the page: the library once, each specification once, and rows for each chart. page.js finds
the row nearest to where a reader points or taps, by the fields that X_AND_Y names.
"""

import functools
import hashlib
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from importlib.metadata import version
from itertools import pairwise
from typing import Any, Literal

import altair as alt
import numpy as np
from platformdirs import user_cache_path

from cifarbench.analysis.configuration import COSTS, Configuration
from cifarbench.analysis.predictions import calibration, curve, over_runs
from cifarbench.errors import UserError
from cifarbench.files import atomic
from cifarbench.records.metrics import METRICS
from cifarbench.report.styles import BANDED, legend
from cifarbench.report.words import axis, number, percent, spread

POINTS = 60  # of one curve; longer ones are thinned
LINES = 60  # of a chart; of more, the mean and a band for each configuration
JUMP = 1.5  # times that the rate falls from one epoch to the next, to be marked
JUMPS = 5  # more are no steps but a steady fall
ROWS = alt.NamedData("rows")  # page.js fills it
X_AND_Y = {
    "curves": ("epoch", "value"),
    "cost": ("cost", "accuracy"),
    "reliability": ("confidence", "accuracy"),
    "search": ("value", "accuracy"),
    "budget": ("draws", "mean"),
}
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
    """Return Vega, Vega-Lite and Vega-Embed as one script, which is begun to be made ready."""
    return ThreadPoolExecutor(1).submit(kept_library)


def kept_library() -> str:
    """Return the script from the user's cache; bundle and keep it where it is not there."""
    path = user_cache_path("cifarbench") / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError):
        digest, _, script = path.read_bytes().partition(b"\n")
        if digest == checksum(script):
            return script.decode()
    script = bundled_library()
    if path.is_absolute():  # as it is not for a user without a home
        with suppress(UserError), atomic(path) as temporary:
            temporary.write_bytes(checksum(script) + b"\n" + script)
    return script.decode()


def checksum(script: bytes) -> bytes:
    return hashlib.sha256(script).hexdigest().encode()


def bundled_library() -> bytes:
    """Bundle the script in another process, which takes as long as all figures."""
    program = "import sys, vl_convert; sys.stdout.buffer.write(vl_convert.javascript_bundle().encode())"
    return subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.PIPE).stdout


@functools.cache
def specifications() -> dict[str, Any]:
    """Return every kind of chart by its name."""
    kinds = {
        "curves": _curves(),
        "reliability": _reliability(),
        **{f"cost-{kind}": _cost(kind) for kind in COSTS},
        "search-linear": _search("linear"),
        "search-log": _search("log"),
        "budget": _budget(),
    }
    return {name: {"chart": chart, "near": X_AND_Y[name.partition("-")[0]]} for name, chart in kinds.items()}


def _finished(chart: alt.LayerChart | alt.FacetChart) -> dict[str, Any]:
    return dict(chart.properties(width="container", height=220).configure(**STYLE).to_dict())


def _shown(*details: str) -> tuple[alt.Chart, Any]:
    """Return a chart without the curves that are in `hidden`, and that parameter."""
    hidden = alt.param(name="hidden", value=[])
    chart = alt.Chart(ROWS).transform_filter("indexof(hidden, datum.label) < 0")
    return chart.encode(color=alt.Color("colour:N", scale=None), detail=list(details)), hidden


def _curves() -> dict[str, Any]:
    """A thin line for each seed, or a line with a band from the lowest to the highest; falls of the rate."""
    base, hidden = _shown("label:N", "seed:N")
    whole = alt.Axis(labelExpr="datum.value % 1 ? '' : datum.value", grid=False)
    epochs = alt.Scale(zero=False, nice=False)
    base = base.encode(x=alt.X("epoch:Q", title="epoch", scale=epochs, axis=whole))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    band = base.transform_filter("isValid(datum.low)").mark_area(opacity=0.15)
    line = base.mark_line(strokeWidth=1.2).encode(y=y, strokeDash=alt.StrokeDash("dash:N", scale=None))
    alone = base.transform_filter("datum.alone").mark_point(size=40, filled=True).encode(y=y)
    fall = base.transform_filter("datum.jump").mark_point(
        shape="triangle-down", size=70, filled=True, opacity=1
    )
    return _finished(
        alt.layer(
            band.encode(y=alt.Y("low:Q", title=None), y2="high:Q"), line, alone, fall.encode(y=y)
        ).add_params(hidden)
    )


def _reliability() -> dict[str, Any]:
    base, hidden = _shown("label:N")
    share = alt.Scale(domain=[0, 100])
    x = alt.X("confidence:Q", title="confidence (%)", scale=share, axis=alt.Axis(grid=False))
    y = alt.Y("accuracy:Q", title=None, scale=share)
    ends = alt.Data(values=[{"x": 0, "y": 0}, {"x": 100, "y": 100}])
    diagonal = alt.Chart(ends).mark_line(strokeDash=[2, 3], color="currentColor", strokeWidth=1)
    line = base.encode(x=x, y=y).mark_line(point=True, strokeWidth=1.5)
    dashed = line.encode(strokeDash=alt.StrokeDash("dash:N", scale=None))
    return _finished(alt.layer(diagonal.encode(x="x:Q", y="y:Q"), dashed).add_params(hidden))


def _cost(kind: str) -> dict[str, Any]:
    """A point per configuration with its intervals, and a line along the Pareto front, whose points are
    numbered as the names below."""
    title, scale = f"{axis(METRICS[kind])}, logarithmic", alt.Scale(type="log", nice=False, padding=22)
    x = alt.X("cost:Q", title=title, scale=scale, axis=alt.Axis(grid=False, format="~s"))
    y = alt.Y("accuracy:Q", title=None, scale=alt.Scale(zero=False, nice=False, padding=14))
    base = alt.Chart(ROWS).encode(color=alt.Color("colour:N", scale=None))
    upright = base.mark_rule().encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    across = base.mark_rule().encode(x=alt.X("cost_low:Q", title=title), x2="cost_high:Q", y=y)
    front = base.transform_filter("datum.front").mark_line(color="var(--curve-1)").encode(x=x, y=y)
    point = base.mark_point(size=60, opacity=1, filled=True).encode(x=x, y=y)
    number_of = base.transform_filter("datum.front").mark_text(align="right", dx=-5, dy=-8, fontSize=12)
    named = number_of.encode(x=x, y=y, text="place:N", color=alt.value("currentColor"))
    return _finished(alt.layer(upright, across, front, point, named))


def _search(scale: Literal["linear", "log"]) -> dict[str, Any]:
    """A point per configuration: a knob's value and the accuracy."""
    base, hidden = _shown("label:N")
    spaced = alt.Scale(type=scale, nice=False, padding=12, zero=alt.Undefined if scale == "log" else False)
    named = alt.Axis(grid=False, format="~r", labelOverlap=True)
    x = alt.X("value:Q", title=None, scale=spaced, axis=named)
    y = alt.Y("accuracy:Q", title=None, scale=alt.Scale(zero=False, padding=8))
    return _finished(alt.layer(base.mark_point(size=40, filled=True).encode(x=x, y=y)).add_params(hidden))


def _budget() -> dict[str, Any]:
    """A line per method: the best of so many draws on average, with a standard deviation around it."""
    base, hidden = _shown("label:N")
    x = alt.X("draws:Q", title="draws", axis=alt.Axis(tickMinStep=1, grid=False))
    y = alt.Y("mean:Q", title=None, scale=alt.Scale(zero=False))
    band = base.mark_area(opacity=0.15).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
    line = base.mark_line(strokeWidth=1.5).encode(x=x, y=y)
    return _finished(alt.layer(band, line).add_params(hidden))


def ends(configurations: list[Configuration], field: str) -> str:
    """Say where curves end, for readers who do not see them."""
    name, accuracy = field.replace("_", " "), "accuracy" in field
    last = [(float(over_runs(curve(c, field))[0, -1]), c.label) for c in configurations]
    told = [
        f"{label} {percent(end) if accuracy else number(end, 3)}"
        for end, label in sorted(last, reverse=accuracy)
        if not np.isnan(end)
    ]
    return f"{name.capitalize()} after the last epoch, best first: " + "; ".join(told)


def curve_rows(configurations: list[Configuration], fields: list[str]) -> dict[str, Any]:
    """Return the curves by number, each with the names of its lines, and for each field rows of (curve,
    epoch, value of each line), or of (curve, epoch, mean, low, high) where a band is drawn."""
    banded = is_banded(configurations)
    return {
        "curves": [
            {
                "label": label,
                "colour": colour,
                "dash": [float(d) for d in dashes.split(",") if d] or [1, 0],
                "lines": [f"mean of {len(c.runs)}"]
                if banded
                else [f"seed {s}" for s in c.by_seed("config.seed")],
                "jumps": jumps(c),
                "alone": curve(c, "epoch").shape[1] == 1,
            }
            for c, (label, colour, dashes) in zip(configurations, legend(configurations), strict=True)
        ],
        "banded": banded,
        "rows": {field: _rows_of(configurations, field, banded) for field in fields},
    }


def _rows_of(configurations: list[Configuration], field: str, banded: bool) -> list[list[float | None]]:
    rows = []
    for number_of, configuration in enumerate(configurations):
        values = (100 if "accuracy" in field else 1) * curve(configuration, field)
        epochs = np.unique(np.linspace(0, values.shape[1] - 1, POINTS).round().astype(int))
        thin = values[:, epochs].T  # (epochs, runs)
        if banded:
            thin = over_runs(thin.T).T
        rows += [
            [number_of, int(epoch) + 1, *(rounded(value) for value in at)]
            for epoch, at in zip(epochs, thin, strict=True)
            if not np.isnan(at).all()
        ]
    return rows


def rounded(value: float) -> float | None:
    """Keep four digits, which is more than a chart shows."""
    return None if np.isnan(value) else float(f"{value:.4g}")


def is_banded(configurations: Sequence[Configuration]) -> bool:
    seeds = [len(c.runs) for c in configurations]
    return max(seeds) > BANDED or sum(seeds) > LINES


def is_thinned(configurations: list[Configuration]) -> bool:
    return any(curve(c, "epoch").shape[1] > POINTS for c in configurations)


def jumps(configuration: Configuration) -> list[int]:
    """Return the epochs from which the learning rate is lower at once."""
    rates = curve(configuration, "learning_rate")[0]
    falls = [n + 2 for n, (a, b) in enumerate(pairwise(rates)) if b and a / b >= JUMP]
    return falls if len(falls) <= JUMPS else []


def reliability_rows(configurations: list[Configuration]) -> dict[str, Any]:
    rows = []
    for c, (label, colour, dashes) in zip(configurations, legend(configurations), strict=True):
        style = {
            "label": label,
            "colour": colour,
            "dash": [float(d) for d in dashes.split(",") if d] or [1, 0],
        }
        for confidence, accuracy in zip(*calibration(c), strict=True):
            said = f"confidence {100 * confidence:.0f} %, right {100 * accuracy:.0f} %"
            at = {"confidence": rounded(100 * confidence), "accuracy": rounded(100 * accuracy)}
            rows.append({**style, **at, "says": said})
    return {"rows": {"all": rows}}


def cost_rows(
    configurations: list[Configuration], front: list[Configuration], cost: str
) -> list[dict[str, Any]]:
    """Return a row per configuration; those of the front have their place on it."""
    places = {c.key: place for place, c in enumerate(front, 1)}
    return [_cost_row(c, cost, places.get(c.key, 0)) for c in configurations]


def _cost_row(c: Configuration, cost: str, place: int) -> dict[str, Any]:
    accuracy, price, metric = c.metrics["test_accuracy"], c.metrics[cost], METRICS[cost]
    low, high = (price.low, price.high) if metric.varies else (None, None)
    row = {
        "label": c.label,
        "says": f"{spread(accuracy, 'test_accuracy')}, {metric.title.lower()} {spread(price, cost)}",
        "colour": f"var(--curve-{int(place > 0)})",
        "front": place > 0,
        "place": place,
        "accuracy": rounded(100 * accuracy.centre),
        "cost": rounded(metric.factor * price.centre),
    }
    ends_of: dict[str, tuple[float | None, float]] = {
        "low": (accuracy.low, 100),
        "high": (accuracy.high, 100),
    }
    ends_of |= {"cost_low": (low, metric.factor), "cost_high": (high, metric.factor)}
    return row | {key: rounded(v * factor) for key, (v, factor) in ends_of.items() if v is not None}
