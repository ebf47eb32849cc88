"""The columns that a table of results must have, as the record says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
from pydantic import BaseModel, TypeAdapter, ValidationError

from cifarbench.errors import UserError, shown
from cifarbench.records.record import Epoch, Record

KEYS = ("run", "configuration", "status")
SEQUENCES: TypeAdapter[Any] = TypeAdapter(
    list[np.ndarray | list[Any]], config={"arbitrary_types_allowed": True}
)
DONE = ("completed", "diverged")
STATUSES = (*DONE, "missing", "broken")


def check_columns(table: pd.DataFrame, path: Path) -> None:
    """Raise UserError for a table that lacks a column of the record, or has in one what a record cannot."""
    lacking = sorted({*KEYS} - set(table.columns))
    if lacking:
        raise UserError(f"{path}: is no table of results: it lacks {', '.join(lacking)}")
    _check_values(table["run"], str, path)
    _check_values(table["status"], str, path)
    unknown = table[~table["status"].isin(STATUSES)]
    if len(unknown):
        raise UserError(
            f"{path}: column 'status': {shown(unknown['status'].iloc[0])} is not allowed: "
            f"it must be {', '.join(STATUSES)}"
        )
    done = table[table["status"].isin(DONE)]
    if done.empty:
        return
    fields = dict(_fields(Record))
    lacking = sorted(name for name in fields if name not in done)
    if lacking:
        raise UserError(f"{path}: lacks the column {lacking[0]!r}; make it again with `cifarbench collect`")
    for name, kind in fields.items():
        _check_values(done[name], kind, path)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the columns of a record that have no default, and the type of each."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")
        elif field.is_required() and get_origin(kind) is not dict and not _is_model(kind):
            yield f"{prefix}{name}", kind


def _is_model(kind: Any) -> bool:
    """Tell whether this is an optional part of a record, whose columns a table may lack."""
    return any(isinstance(part, type) and issubclass(part, BaseModel) for part in get_args(kind)) and (
        get_origin(kind) is not list
    )


def _check_values(column: pd.Series, kind: Any, path: Path) -> None:
    try:
        if get_origin(kind) is not list:
            values = [None if isinstance(value, float) and np.isnan(value) else value for value in column]
            allowed: Any = kind if kind is str else kind | None
            TypeAdapter(list[allowed]).validate_python(values)
        elif kind == list[Epoch]:
            TypeAdapter(list[list[Epoch]]).validate_python([list(epochs) for epochs in column])
        else:
            TypeAdapter(
                list[np.ndarray | list[Any]], config={"arbitrary_types_allowed": True}
            ).validate_python(list(column))
    except (ValidationError, TypeError, ValueError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else None
        found = shown(fault["input"]) if fault else "what it holds"
        raise UserError(
            f"{path}: column {column.name!r}: {found} is not allowed; make it again with `cifarbench collect`"
        ) from None
