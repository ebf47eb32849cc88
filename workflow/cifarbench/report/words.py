"""Numbers and texts as the report writes them."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from cifarbench.analysis.configuration import Seeds
from cifarbench.analysis.stats import Interval
from cifarbench.records.metrics import METRICS, TIMES, Metric
from cifarbench.words import listed

MINUTES_FROM, HOURS_FROM = 120, 7200  # seconds
SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands in groups; a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(seeds: Seeds | None, metric: str) -> str:
    """Write what the seeds of one configuration say: mean ± half the 95 % interval, or from where to where
    if the mean is not in its middle; times as `about`; of two seeds both values, of one its value."""
    if seeds is None:
        return "–"
    kind = METRICS[metric]
    if metric == "seconds":
        return about(seeds)
    if not kind.varies or len(seeds.values) == 1:
        return kind.write(seeds.centre)
    if seeds.low is None or seeds.high is None:
        return f"{listed([kind.number(value) for value in seeds.values])} {kind.unit}".rstrip()
    half = (seeds.high - seeds.low) / 2
    off_middle = abs(seeds.centre - (seeds.high + seeds.low) / 2)
    if metric not in TIMES and off_middle <= 0.1 * half:
        return f"{kind.number(seeds.centre)} ± {kind.number(half)} {kind.unit}".rstrip()
    ends = f"({kind.number(seeds.low)} to {kind.number(seeds.high)})"
    return f"{kind.number(seeds.centre)} {ends} {kind.unit}".rstrip()


def about(seeds: Seeds) -> str:
    """Write a typical time, and the shortest and the longest if there are several."""
    if len(seeds.values) < 2:
        return duration(seeds.centre)
    ends = _times([min(seeds.values), max(seeds.values)], seeds.centre)
    return f"{duration(seeds.centre)} ({ends[0]} to {ends[1]})"


def duration(seconds: float) -> str:
    return " ".join([*_times([seconds], seconds), _unit(seconds)])


def _unit(seconds: float) -> str:
    return "s" if seconds < MINUTES_FROM else "min" if seconds < HOURS_FROM else "h"


def _times(values: Sequence[float], typical: float) -> list[str]:
    """Write times in the unit that suits a typical one."""
    scale = {"s": 1, "min": 60, "h": 3600}[_unit(typical)]
    digits = 0 if typical / scale >= 10 else 1
    return [f"{value / scale:,.{digits}f}" for value in values]


def points(interval: Interval) -> str:
    """Write a difference of accuracies with its interval, in percentage points."""
    accuracy = METRICS["test_accuracy"]
    low, high = (accuracy.end(end) for end in interval[1:])
    return f"{accuracy.difference(interval.mean)} points, {low} to {high}"


def few(n: int, singular: str = "", plural: str | None = None) -> str:
    """Count in a sentence, small numbers in words; the number alone without a noun."""
    said = SMALL[n] if n < len(SMALL) else f"{n:,}"
    noun = singular if n == 1 or not singular else plural or f"{singular}s"
    return f"{said} {noun}".rstrip()


def slug(text: str) -> str:
    """Return a name for a file or an anchor. Names in a config are such already, those in a table may not."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", text)[:80]


def printable(text: Any) -> Any:
    """Put a sign in place of what XML cannot hold: control characters, halves of pairs. Return what is no
    text as it is."""
    if type(text) is not str or text.isprintable():
        return text
    return "".join("\ufffd" if _unwritable(letter) else letter for letter in text)


def _unwritable(letter: str) -> bool:
    return letter not in "\n\t" and (unicodedata.category(letter) in ("Cc", "Cs") or letter in "\ufffe\uffff")


def axis(metric: Metric) -> str:
    """Name an axis; capitals after the first letter stay."""
    return metric.heading[:1].lower() + metric.heading[1:]
