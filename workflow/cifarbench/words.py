"""Counts and times as every verb and the report say them."""


def count(n: int, singular: str, plural: str | None = None) -> str:
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"


def listed(items: list[str]) -> str:
    """Join as a sentence does: a, b and c."""
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1] if items else ""]))


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
