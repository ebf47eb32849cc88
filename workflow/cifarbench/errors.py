"""What a user got wrong, in one clear line: what, the offending value, what is allowed, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError


class UserError(Exception):
    """A mistake that the user can mend. The CLI prints it as one line and exits with 2."""


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Return `; did you mean 'x'? Allowed: x, y, z`, without the question when nothing comes near."""
    allowed = sorted(allowed)
    close = get_close_matches(name, allowed, n=1)
    return (f"; did you mean '{close[0]}'?" if close else ";") + f" Allowed: {', '.join(allowed)}"


def explain(error: ValidationError, where: str, allowed: Iterable[str] = ()) -> str:
    """Put each fault that pydantic found on a line that names the place and the value."""
    return "\n".join(_line(fault, where, allowed) for fault in error.errors())


def _line(fault: Any, where: str, allowed: Iterable[str]) -> str:
    place = where + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{place}: unknown key" + suggest(str(fault["loc"][-1]), allowed)
    if fault["type"] == "missing":
        return f"{place}: missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:  # a rule about several knobs together says itself which
        return f"{place}: {message}"
    return f"{place}: {fault['input']!r} is not allowed: {message[0].lower()}{message[1:]}"
