"""Tables as documents print them, and how the data at hand differ: `tables` and `copies` of the claims.

A table has columns, each a metric, and rows, each a configuration with the printed figures in the columns'
order, null where there is none. Times stand beside ours as ratios to the row `base`, since hardware differs.
A copy is a re-encoded version of the images, known by their hash, on which accuracies are lower by so much.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from cifarbench.errors import UserError
from cifarbench.plan.grid import Frozen
from cifarbench.plan.quantities import MetricName, Quantity, Scope, Selector, checked, find


class Cell(Frozen):
    """A printed figure and the quantity that it is of."""

    quantity: Quantity
    published: float
    tolerance: tuple[float, float]
    margin: float


class Row(Frozen):
    label: str
    cells: list[Cell | None]


class PublishedTable(Frozen):
    id: str
    source: str
    title: str
    columns: list[MetricName]
    rows: list[Row]
    base: int = 0
    note: str = ""

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "PublishedTable":
        if self.base not in range(len(self.rows)):
            raise ValueError(f"row {self.base} is not there")
        if any(len(row.cells) != len(self.columns) for row in self.rows):
            raise ValueError(f"each row needs {len(self.columns)} cells")
        return self

    @property
    def project(self) -> str:
        return self.source.split(",")[0]


class Copy(Frozen):
    """Re-encoded images, on which metrics are `lower` than on the original by up to so much."""

    images_sha256: str
    what: str
    source: str
    lower: dict[MetricName, float]


class _RowEntry(Frozen):
    label: str = ""
    of: Selector
    published: list[float | None]


class _TableEntry(Frozen):
    id: str
    source: str
    title: str
    columns: list[MetricName] = Field(min_length=1)
    where: Selector = Field({})
    tolerance: dict[MetricName, float | tuple[float, float]] = Field({})
    base: int = Field(0, ge=0)
    note: str = ""
    rows: list[_RowEntry] = Field(min_length=1)


def read_copies(data: Mapping[str, Any], path: Path) -> list[Copy]:
    entries = data.get("copies", [])
    return [checked(Copy, entry, f"{path}, copies[{n}]", "a copy") for n, entry in enumerate(entries)]


def read_tables(data: Mapping[str, Any], path: Path, scope: Scope) -> list[PublishedTable]:
    """Find the configurations of each row. Raise UserError naming the table and row that is wrong."""
    entries = data.get("tables", [])
    tables = [_table(entry, f"{path}, tables[{n}]", scope) for n, entry in enumerate(entries)]
    names = [table.id for table in tables]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{path}: two tables have the id {name!r}; give each its own")
    return tables


def _table(data: Any, where: str, scope: Scope) -> PublishedTable:
    entry = checked(_TableEntry, data, where, "a table")
    if entry.base >= len(entry.rows):
        raise UserError(
            f"{where}.base: {entry.base} is not allowed: there are {len(entry.rows)} rows, from 0"
        )
    rows = [_row(entry, row, f"{where}.rows[{n}]", scope) for n, row in enumerate(entry.rows)]
    facts = entry.model_dump(include={"id", "source", "title", "columns", "base", "note"})
    return PublishedTable(**facts, rows=rows)


def _row(table: _TableEntry, row: _RowEntry, where: str, scope: Scope) -> Row:
    if len(row.published) != len(table.columns):
        raise UserError(f"{where}: has {len(row.published)} figures for {len(table.columns)} columns")
    cells = [
        None if value is None else _cell(table, row, metric, value, where, scope)
        for metric, value in zip(table.columns, row.published, strict=True)
    ]
    labels = [cell.quantity.label for cell in cells if cell]
    if not labels:
        raise UserError(f"{where}.published: has no figure; leave the row out")
    return Row(label=row.label or labels[0], cells=cells)


def _cell(table: _TableEntry, row: _RowEntry, metric: str, value: float, where: str, scope: Scope) -> Cell:
    tolerance = table.tolerance.get(metric, 0.0)
    return Cell(
        quantity=find({**table.where, **row.of, "metric": metric}, where, scope.candidates),
        published=value,
        tolerance=tolerance if isinstance(tolerance, tuple) else (tolerance, tolerance),
        margin=scope.margins.get(metric, 0.0),
    )
