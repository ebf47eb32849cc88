"""The kinds of text that a config may hold; what is not allowed in one is refused with a reason."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from cifarbench.errors import UNPRINTABLE

# What Snakemake fills in where a rule's input has it: wildcards, and path variables.
FILLED_IN = re.compile(r"[{}<>]")


def _slug(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*", value):
        raise ValueError(
            "only letters, digits, '-' and '_' may stand in a name, and no '-' at its start, "
            "because it becomes a path"
        )
    return value


def _printable(value: str) -> str:
    if found := UNPRINTABLE.search(value):
        raise ValueError(f"the control character {found.group()!r} may not stand in it; remove it")
    return value


def _path(value: str) -> str:
    if "\n" in value or "\t" in value:
        raise ValueError("a path may not have a line break or a tab")
    if len(value.encode()) > 4000 or any(len(part.encode()) > 255 for part in value.split("/")):
        raise ValueError("it is too long for a path: at most 255 bytes a name, and 4,000 in all")
    return value


def taken_literally(path: str) -> bool:
    """Tell whether a rule may have this path as an input without Snakemake filling something in."""
    return FILLED_IN.search(path) is None


def _label(value: Any) -> Any:
    """Take numbers as text, since a label such as 2020 need not stand in quotes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Slug = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_slug)]
Prose = Annotated[str, AfterValidator(_printable)]
PathText = Annotated[str, Field(min_length=1), AfterValidator(_printable), AfterValidator(_path)]
Label = Annotated[str, Field(pattern=r"\S"), BeforeValidator(_label), AfterValidator(_printable)]
