"""Published tables beside ours, and figures that a project gives several times for one quantity."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Seeds, over_seeds
from cifarbench.analysis.rules import Measured, Ruling, rule_value
from cifarbench.analysis.stats import ALPHA, FEWEST, holm
from cifarbench.analysis.verdicts import Evidence
from cifarbench.plan.plan import Plan
from cifarbench.plan.published_tables import Cell, PublishedTable
from cifarbench.records.metrics import METRICS, TIMES
from cifarbench.words import count


class Beside(NamedTuple):
    """A printed figure beside ours. Times are ratios to the table's base row, and are not judged."""

    published: float
    ours: Seeds | None
    ruling: Ruling | None


class TableVerdict(NamedTuple):
    """A published table, each figure beside ours, and what all of them together say."""

    table: PublishedTable
    cells: list[list[Beside | None]]
    ruling: Ruling

    @property
    def measured(self) -> bool:
        """Whether any figure has ours beside it."""
        return any(of is not None and of.ours is not None for row in self.cells for of in row)


def judge_tables(plan: Plan, known: Evidence) -> list[TableVerdict]:
    """Judge each table by the figures that it alone gives; those of `replicates` are judged there."""
    again = {id(cell) for group in _given_again(plan, known) for _, cell in group}
    return [_judge_table(table, known, again) for table in plan.tables]


def _judge_table(table: PublishedTable, known: Evidence, again: set[int]) -> TableVerdict:
    base = table.rows[table.base].cells
    cells = [
        [_beside(cell, of, known) if cell else None for cell, of in zip(row.cells, base, strict=True)]
        for row in table.rows
    ]
    figures = [cell for row in table.rows for cell in row.cells]
    besides = zip(figures, (of for row in cells for of in row), strict=True)
    own = [of.ruling for cell, of in besides if of and of.ruling and id(cell) not in again]
    return TableVerdict(table, cells, _together(own, sum(id(cell) in again for cell in figures)))


def _beside(cell: Cell, base: Cell | None, known: Evidence) -> Beside:
    metric, measured = METRICS[cell.quantity.metric], known.measured(cell.quantity)
    if cell.quantity.metric in TIMES:
        return _ratio(cell, base, known)
    if not measured.values:
        return Beside(cell.published, None, Ruling("not run", "no record"))
    lower = known.lower(cell.quantity)
    ruling = rule_value([cell.published], measured.all, metric, cell.tolerance, cell.margin, lower)
    return Beside(cell.published, over_seeds(measured.all, cell.quantity.metric), ruling)


def _ratio(cell: Cell, base: Cell | None, known: Evidence) -> Beside:
    """Set times beside each other as ratios to those of the base row; ours only from the same hardware."""
    if base is None or base.published == 0:
        return Beside(cell.published, None, None)
    published = cell.published / base.published
    ours, theirs = (known.measured(of.quantity).all for of in (cell, base))
    if not ours or not theirs or len(known.hardware([cell.quantity, base.quantity])) > 1:
        return Beside(published, None, None)
    middle = float(np.median(theirs))
    return Beside(published, over_seeds([value / middle for value in ours], cell.quantity.metric), None)


def _together(rulings: list[Ruling], again: int) -> Ruling:
    """Judge a table as one: it differs if a figure does among all that could be tested (Holm), and is
    reproduced if every figure is. `again` are judged elsewhere."""
    outcomes = [ruling.outcome for ruling in rulings]
    run = len(outcomes) - outcomes.count("not run")
    told = f"{run} of {len(outcomes)} figures measured"
    if again:
        told = f"{count(again, 'figure')} judged with others of the same runs; of the rest, {told}"
    if not run:
        return Ruling("not run", told)
    tested = [ruling for ruling in rulings if ruling.p is not None]
    adjusted = holm([ruling.p for ruling in tested if ruling.p is not None])
    differing = sum(
        p < ALPHA and ruling.outcome == "differs" for p, ruling in zip(adjusted, tested, strict=True)
    )
    kept = outcomes.count("reproduced")
    decided = f"{count(kept, 'is', 'are')} reproduced and {count(differing, 'differs', 'differ')}"
    reason = f"{told}, of which {decided if kept or differing else 'none is decided'} (Holm over the table)"
    if differing:
        return Ruling("differs", reason)
    return Ruling("reproduced" if kept == len(outcomes) else "undecided", reason)


class Replicates(NamedTuple):
    """What one project publishes several times for one measured quantity, judged together."""

    project: str
    label: str
    metric: str
    published: list[float]
    places: list[str]
    ours: Seeds | None
    ruling: Ruling


def replicates(plan: Plan, known: Evidence) -> list[Replicates]:
    """Find the quantities that a project gives more than one figure of: the same configuration, or several
    whose runs end alike to the bit."""
    return [_judge_group(group, known) for group in _given_again(plan, known)]


def _given_again(plan: Plan, known: Evidence) -> list[list[tuple[PublishedTable, Cell]]]:
    """Return the figures of each such quantity."""
    groups: dict[tuple[object, ...], list[tuple[PublishedTable, Cell]]] = {}
    for table, cell in _cells(plan):
        if cell.quantity.metric not in TIMES:
            groups.setdefault(_same(table, cell, known.measured(cell.quantity)), []).append((table, cell))
    return [group for group in groups.values() if len(group) > 1]


def _cells(plan: Plan) -> Iterator[tuple[PublishedTable, Cell]]:
    for table in plan.tables:
        yield from ((table, cell) for row in table.rows for cell in row.cells if cell)


def _same(table: PublishedTable, cell: Cell, measured: Measured) -> tuple[object, ...]:
    """Return what two figures of one quantity have in common."""
    of = tuple(sorted(measured.values.items())) if len(measured.values) >= FEWEST else measured.configuration
    return table.project, cell.quantity.metric, cell.quantity.epoch, of


def _judge_group(group: list[tuple[PublishedTable, Cell]], known: Evidence) -> Replicates:
    table, first = group[0]
    name, published = first.quantity.metric, [cell.published for _, cell in group]
    measured = known.measured(first.quantity)
    below, above = (max(cell.tolerance[side] for _, cell in group) for side in (0, 1))
    lower = known.lower(first.quantity)
    ruling = (
        rule_value(published, measured.all, METRICS[name], (below, above), first.margin, lower)
        if measured.values
        else Ruling("not run", "no record")
    )
    ours = over_seeds(measured.all, name) if measured.values else None
    places = [f"{of.source}: {cell.quantity.label}" for of, cell in group]
    return Replicates(table.project, first.quantity.label, name, published, places, ours, ruling)


class Disagreement(NamedTuple):
    """A quantity of which projects publish different figures."""

    label: str
    metric: str
    figures: list[tuple[str, float]]


def disagreements(plan: Plan) -> list[Disagreement]:
    """Find the quantities that several projects give different figures of."""
    found: dict[tuple[str, str], dict[str, tuple[str, float]]] = {}
    for table, cell in _cells(plan):
        if cell.quantity.metric not in TIMES:
            key = cell.quantity.configuration, cell.quantity.metric
            found.setdefault(key, {}).setdefault(table.project, (cell.quantity.label, cell.published))
    return [
        Disagreement(figures[0][1], metric, [(project, value) for project, _, value in figures])
        for (_, metric), by in found.items()
        if len({value for _, value in by.values()}) > 1
        for figures in [[(project, *figure) for project, figure in by.items()]]
    ]
