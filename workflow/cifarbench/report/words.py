"""Numbers and texts as the report writes them."""

import re
import unicodedata
from typing import Any

from cifarbench.analysis.results import Seeds
from cifarbench.records.metrics import METRICS


def percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f} %"


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands in groups; a dash for none."""
    return "–" if value is None else f"{value:,.{digits}f}"


def spread(seeds: Seeds | None, metric: str) -> str:
    """Write mean ± half the 95 % interval, in the metric's unit; the mean alone for a single value."""
    if seeds is None:
        return "–"
    kind = METRICS[metric]
    around = f" ± {kind.number(seeds.half)}" if kind.varies and seeds.half is not None else ""
    return f"{kind.number(seeds.mean)}{around} {kind.unit}".rstrip()


def count(n: int, singular: str, plural: str | None = None) -> str:
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def listed(items: list[str]) -> str:
    """Join as a sentence does: a, b and c."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1] if items else ""]))


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
