"""The columns that a table of results must have, as the record says."""

from collections.abc import Iterator, Mapping
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
# Have a default, or stand in a mapping; yet there is no table without them.
EVER = {"config.model": str, "config.seed": int, "environment.versions.torch": str}
STATUSES = (*DONE, "missing", "broken")


def check_columns(table: pd.DataFrame, path: Path) -> None:
    """Raise UserError for a table that lacks a column of the record, or has in one what a record cannot."""
    lacking = sorted({*KEYS} - set(table.columns))
    if lacking:
        raise UserError(f"{path}: is no table of results: it lacks {', '.join(lacking)}")
    _check_values(table["run"], str, path)
    _check_values(table["status"], str, path)
    if twice := table["run"][table["run"].duplicated()].tolist():
        raise UserError(f"{path}: run {twice[0]!r} has two rows; make it again with `cifarbench collect`")
    unknown = table[~table["status"].isin(STATUSES)]
    if len(unknown):
        raise UserError(
            f"{path}: column 'status': {shown(unknown['status'].iloc[0])} is not allowed: "
            f"it must be {', '.join(STATUSES)}"
        )
    done = table[table["status"].isin(DONE)]
    if done.empty:
        return
    fields = {**dict(_fields(Record)), **EVER}
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
        elif field.is_required() and get_origin(kind) is not dict and not model_in(kind):
            yield f"{prefix}{name}", kind


def model_in(kind: Any) -> type[BaseModel] | None:
    """Return the part of a record that this annotation is of, whether it may be None or not; else None."""
    parts = (kind,) if isinstance(kind, type) else get_args(kind) if get_origin(kind) is not list else ()
    models = (part for part in parts if isinstance(part, type) and issubclass(part, BaseModel))
    return next(models, None)


def is_timed(row: Mapping[str, Any]) -> bool:
    """Tell whether the times of a run may be ranked: a diverged one ended early, and one whose machine did
    other work meanwhile took too long."""
    return bool(row["status"] == "completed" and row.get("times") != "shared")


def timed(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs whose times may be ranked."""
    told = runs.reindex(columns=["status", "times"]).to_dict("records")
    return runs[np.array([is_timed(row) for row in told], dtype=bool)]


def _check_values(column: pd.Series, kind: Any, path: Path) -> None:
    try:
        if get_origin(kind) is not list:
            values = [None if isinstance(value, float) and np.isnan(value) else value for value in column]
            TypeAdapter(list[kind]).validate_python(values)
        elif kind == list[Epoch]:
            TypeAdapter(list[list[Epoch]]).validate_python([list(epochs) for epochs in column])
        else:
            SEQUENCES.validate_python(list(column))
    except (ValidationError, TypeError, ValueError) as error:
        fault = error.errors()[0] if isinstance(error, ValidationError) else None
        found = shown(fault["input"]) if fault else "what it holds"
        raise UserError(
            f"{path}: column {column.name!r}: {found} is not allowed; make it again with `cifarbench collect`"
        ) from None
