"""The kinds of text that a config may hold; what is not allowed in one is refused with a reason."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

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


def no_truth_for_a_number(value: Any, annotation: Any) -> Any:
    """Return a value. Raise ValueError for true or false as a number: pydantic takes them for 1 or 0."""
    kinds = {annotation, *get_args(annotation)}
    if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
        raise ValueError("input should be a number")
    return value


def taken_literally(path: str) -> bool:
    """Tell whether a rule may have this path as an input without Snakemake filling something in."""
    return FILLED_IN.search(path) is None


def _label(value: Any) -> Any:
    """Take numbers as text, since a label such as 2020 need not stand in quotes."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _json(value: Any) -> str | None:
    """Write a mapping as JSON, the same for equal ones; read a text that is JSON already, as of a flag."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
        if found is not None and not isinstance(found, Mapping):
            raise ValueError(f"{found!r} is no mapping")
        return json.dumps(found, sort_keys=True, allow_nan=False) if found else None
    except json.JSONDecodeError:
        raise ValueError('it must be a mapping, as {"dropout": 0.1}') from None
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f'it must be a mapping, as {{"dropout": 0.1}} ({error})') from None


Slug = Annotated[str, Field(min_length=1, max_length=40), AfterValidator(_slug)]
# Text, so that it has an order and a hash, and fits into a table; None for an empty mapping.
JsonText = Annotated[
    str | None,
    BeforeValidator(_json),
    WithJsonSchema({"anyOf": [{"type": "object"}, {"type": "null"}]}),
]
Prose = Annotated[str, AfterValidator(_printable)]
PathText = Annotated[str, Field(min_length=1), AfterValidator(_printable), AfterValidator(_path)]
Label = Annotated[str, Field(pattern=r"\S"), BeforeValidator(_label), AfterValidator(_printable)]
