"""What a user got wrong, in one clear line: what, the offending value, what is allowed, what to do."""

import logging
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

# What a terminal takes as a command, or to turn the direction of text; lone surrogates, which are no text.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
SHOWN = 200  # characters of a value or name in a message
LISTED = 25  # names in a message
KNOBS = "cifarbench train --help"  # which lists more of them


class UserError(Exception):
    """A mistake that the user can mend. The CLI prints it as one line a fault and exits with 2."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """Write the characters that would do something to a terminal as Python's escapes; lines and tabs stay."""
    return UNPRINTABLE.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


class PrintableFormatter(logging.Formatter):
    """Lines of a log with the time; nothing in them, such as a model's own words, acts on a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def shown(value: Any) -> str:
    """Write a value as Python does, cut to what a line has room for."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or very deep
        return f"a {type(value).__name__} that is too large to show"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def suggest(name: str, allowed: Iterable[str], help: str = "") -> str:
    """Return `; did you mean 'x'? Allowed: x, y, z`, without the question when nothing comes near.

    Of more names than a line has room for, the command `help` is named that lists them.
    """
    allowed = sorted(allowed)
    nearest = _nearest(name[:SHOWN].lower(), {one.lower(): one for one in allowed})
    asked = f"; did you mean '{nearest}'?" if nearest else ";"
    if help and len(allowed) > LISTED:
        return f"{asked} `{help}` lists all {len(allowed)}"
    return f"{asked} Allowed: {', '.join(allowed)}"


def _nearest(name: str, allowed: dict[str, str]) -> str | None:
    """Return what is written alike, else what is shortened so: `lr` is learning_rate, `ema` ema_decay."""
    alike = get_close_matches(name, allowed, n=1)
    short = [one for one in allowed if name == "".join(part[:1] for part in one.split("_"))]
    begun = [one for one in allowed if name and one.startswith(name)]
    return next((allowed[one] for one in (*alike, *short, *begun)), None)


def in_words(error: UserError | OSError | ModuleNotFoundError) -> str:
    """Say what is wrong with the call or the machine. Raise what is a fault of the program."""
    if isinstance(error, BrokenPipeError) or (getattr(error, "name", None) or "").startswith("cifarbench"):
        raise error
    if isinstance(error, ModuleNotFoundError):
        return f"package {error.name} is not installed; pip install it, see envs/requirements.txt"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def need_extra(extra: str, *modules: str) -> None:
    """Raise UserError naming the extra that brings these modules, if one is not installed."""
    for module in modules:
        if find_spec(module) is None:
            raise UserError(f"{module} is not installed; pip install 'cifarbench[{extra}]' brings it")


def explain(
    error: ValidationError, where: str, allowed: Iterable[str] = (), belongs: Mapping[str, str] | None = None
) -> str:
    """Put each fault that pydantic found on a line that names the place and the value.

    `belongs` says where keys belong that are known, but not everywhere.
    """
    return "\n".join(_line(fault, where, allowed, belongs or {}) for fault in error.errors())


def _line(fault: Any, where: str, allowed: Iterable[str], belongs: Mapping[str, str]) -> str:
    place = where + "".join(_step(key) for key in fault["loc"])
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        if key in belongs:
            return f"{place}: unknown key here; it belongs to {belongs[key]}"
        return f"{place}: unknown key" + suggest(key, allowed, KNOBS)
    if fault["type"] == "missing":
        return f"{place}: missing; add it"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] in ("tuple_type", "list_type"):
        one = fault["input"]
        message = "input should be a list" + (
            f", as [{shown(one)}]" if isinstance(one, str | int | float) else ""
        )
    elif fault["type"] == "model_type":
        message = "input should be a mapping, such as {name: value}"
    if not fault["loc"]:  # a rule about several knobs together says itself which
        return f"{place}: {message}"
    return f"{place}: {shown(fault['input'])} is not allowed: {message[0].lower()}{message[1:]}"


def _step(key: int | str) -> str:
    """Write a step on the way to a place; a key that is no plain word as Python writes it."""
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isprintable() and len(key) <= SHOWN else f".{shown(key)}"
