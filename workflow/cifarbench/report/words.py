"""Numbers and texts as the report writes them."""

import re
import unicodedata
from typing import Any

from cifarbench.analysis.configuration import Seeds
from cifarbench.analysis.stats import Interval
from cifarbench.records.metrics import METRICS, TIMES
from cifarbench.words import listed


def percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands in groups; a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(seeds: Seeds | None, metric: str) -> str:
    """Write what the seeds of one configuration say: mean ± half the 95 % interval, or from where to where
    if the mean is not in its middle; of times the median and from the lowest to the highest; of two seeds
    both values, of one its value."""
    if seeds is None:
        return "–"
    kind = METRICS[metric]
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


def points(interval: Interval) -> str:
    """Write a difference of accuracies with its interval, in percentage points."""
    mean, low, high = (100 * end for end in interval)
    return f"{mean:.1f} points ({low:.1f} to {high:.1f})"


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
