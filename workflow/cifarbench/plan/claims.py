"""What published projects claim, and which configurations test it: the file that a config's `claims` names.

Each claim says its source (the project, then the place in it), the claim in words, a metric, and one of

- `published` and `of`: the metric of one configuration has this value;
- `order`: it is larger for each place than for the next; a place may be a list, whose members all are;
- `orders`: several such orders, all of which hold;
- `equal`: it is the same for two, within `margin`;
- `no_gain`: the first is not larger than the second by more than `margin`;
- `above`: it is above the value `published` for each of a list.

A configuration is named by its study and by its label, or by as many knobs as tell it from the others;
`epoch` takes the metric at that epoch instead of at the end (-1 is the last one). `tolerance` is what
rounding or reading a plot leaves open, on both sides or as [below, above]; `margin` is what does not matter,
by default the metric's of `margins`; in an order it is by how much at least. `ours: true` marks a question
that nobody published, which is not counted.

An `explanation` says what else makes a claim look true, and is tested by a statement of its own, which takes
what it does not say from the claim: `without` the cause the claim fails, or `with` it the claim holds.
`tables` and `copies` stand in `published_tables`. The verdicts come from the records, see `analysis/rules`.
"""

from collections.abc import Mapping
from itertools import pairwise, product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from cifarbench.config.reading import read
from cifarbench.errors import UserError, shown, suggest
from cifarbench.plan.grid import Frozen
from cifarbench.plan.quantities import MetricName, Quantity, Scope, Selector, checked, find
from cifarbench.records.metrics import METRICS

Kind = Literal["value", "order", "equal", "no_gain", "above"]


class Statement(Frozen):
    """What is said of some quantities. `steps` are an order's pairs by their places, the larger first."""

    kind: Kind
    quantities: list[Quantity]
    steps: list[tuple[int, int]] = Field([])
    published: list[float] = Field([])
    tolerance: tuple[float, float] = (0.0, 0.0)
    margin: float = 0.0

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Statement":
        places = range(len(self.quantities))
        if not all(place in places for step in self.steps for place in step):
            raise ValueError(f"steps {self.steps} name places that are not there")
        if not places or (self.kind == "order") != bool(self.steps):
            raise ValueError(f"{self.kind!r} does not go with {len(places)} quantities in {self.steps}")
        if self.kind in ("equal", "no_gain") and len(places) != 2:
            raise ValueError(f"{self.kind!r} needs two quantities")
        if self.kind in ("value", "above") and len(self.published) != 1:
            raise ValueError(f"{self.kind!r} needs one published value")
        return self


class Explanation(Frozen):
    """What else makes a claim look true; the statement must fail `without` the cause, or hold `with` it.
    A difference of at most `margin` is none that matters."""

    because: str
    role: Literal["without", "with"]
    statement: Statement
    margin: float = 0.0


class Claim(Frozen):
    id: str
    source: str
    says: str
    statement: Statement
    explanation: Explanation | None = None
    note: str = ""
    ours: bool = False

    @property
    def project(self) -> str:
        return self.source.split(",")[0]


def _as_list(place: Any) -> Any:
    return place if isinstance(place, list) else [place]


Place = Annotated[list[Selector], BeforeValidator(_as_list), Field(min_length=1)]


class _Entry(Frozen):
    """A statement as the file has it. Its selectors are resolved once the studies are known."""

    metric: MetricName
    where: Selector = Field({})
    of: Selector | None = None
    order: list[Place] | None = Field(None, min_length=2)
    orders: list[Annotated[list[Place], Field(min_length=2)]] | None = Field(None, min_length=1)
    equal: list[Selector] | None = Field(None, min_length=2, max_length=2)
    no_gain: list[Selector] | None = Field(None, min_length=2, max_length=2)
    above: list[Selector] | None = Field(None, min_length=1)
    published: float | list[float] = Field([])
    tolerance: Annotated[float, Field(ge=0)] | tuple[float, float] = 0.0
    margin: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "_Entry":
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of {', '.join(map(repr, KINDS))} is needed, not {given}")
        if given[0] in ("of", "above") and not isinstance(self.published, float):
            raise ValueError(f"{given[0]!r} needs the value that was 'published'")
        return self


KINDS: dict[str, Kind] = {
    "of": "value",
    "order": "order",
    "orders": "order",
    "equal": "equal",
    "no_gain": "no_gain",
    "above": "above",
}


class _ClaimEntry(_Entry):
    id: str = Field(min_length=1)
    source: str
    says: str
    note: str = ""
    ours: bool = False
    explanation: dict[str, Any] | None = None


def read_file(path: Path) -> dict[str, Any]:
    data = read(path)
    if not isinstance(data, Mapping) or not isinstance(data.get("claims"), list):
        raise UserError(f"{path}: must be a mapping with the key 'claims', a list")
    parts = ("margins", "copies", "tables", "claims")
    for name in data:
        if name not in parts:
            raise UserError(f"{path}.{name}: unknown key" + suggest(str(name), parts))
    for name in ("copies", "tables"):
        if not isinstance(data.get(name, []), list):
            raise UserError(f"{path}.{name}: {shown(data[name])} is not allowed: it must be a list")
    return dict(data)


def read_margins(data: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Return by metric what does not matter."""
    margins = data.get("margins", {})
    if not isinstance(margins, Mapping):
        raise UserError(f"{path}.margins: {shown(margins)} is not allowed: it must be a mapping")
    for name, value in margins.items():
        if name not in METRICS:
            raise UserError(f"{path}, margins.{name}: unknown metric" + suggest(str(name), METRICS))
        if not isinstance(value, int | float) or value <= 0:
            raise UserError(f"{path}, margins.{name}: {shown(value)} is not allowed: a number above 0")
    return {name: float(value) for name, value in margins.items()}


def read_claims(data: Mapping[str, Any], path: Path, scope: Scope) -> list[Claim]:
    """Find the configurations that each claim of a file means.

    Raise UserError naming the claim whose entry is wrong, or that means no configuration or several.
    """
    claims = [_claim(entry, f"{path}, claims[{n}]", scope) for n, entry in enumerate(data["claims"])]
    for n, claim in enumerate(claims):
        if claim.id in {other.id for other in claims[:n]}:
            raise UserError(f"{path}: two claims have the id {claim.id!r}; give each its own")
    return claims


def _claim(data: Any, where: str, scope: Scope) -> Claim:
    entry = checked(_ClaimEntry, data, where, "a claim")
    place = f"{where} ({entry.id})"
    return Claim(
        **entry.model_dump(include={"id", "source", "says", "note", "ours"}),
        statement=_statement(entry, place, scope),
        explanation=entry.explanation and _explanation(entry, entry.explanation, place, scope),
    )


def _explanation(claim: _ClaimEntry, data: dict[str, Any], place: str, scope: Scope) -> Explanation:
    roles = [role for role in ("without", "with") if role in data]
    if len(roles) != 1 or set(data) != {"because", roles[0]} or not isinstance(data[roles[0]], Mapping):
        raise UserError(
            f"{place}.explanation: needs 'because' and one of 'without' and 'with', a mapping, "
            f"not {sorted(data)}"
        )
    [role] = roles
    own = dict(data[role])
    place = f"{place}.explanation.{role}"
    if not isinstance(own.get("where", {}), Mapping):
        raise UserError(f"{place}.where: {shown(own['where'])} is not allowed: it must be a mapping")
    common = {
        name: value
        for name, value in claim.model_dump(exclude_unset=True).items()
        if name in _Entry.model_fields
    }
    if set(own) & set(KINDS):
        common = {name: value for name, value in common.items() if name not in KINDS}
    merged = common | own | {"where": claim.where | own.get("where", {})}
    entry = checked(_Entry, merged, place, "a statement")
    statement = _statement(entry, place, scope)
    margin = scope.margins.get(entry.metric, 0.0)
    return Explanation(because=data["because"], role=role, statement=statement, margin=margin)


def _statement(entry: _Entry, where: str, scope: Scope) -> Statement:
    [name] = [name for name in KINDS if getattr(entry, name) is not None]
    given = getattr(entry, name)
    selectors, steps = _steps(given if name == "orders" else [given]) if "order" in name else (given, [])
    common = {"metric": entry.metric, **entry.where}
    selectors = [selectors] if name == "of" else selectors
    tolerance = entry.tolerance
    margin = scope.margins.get(entry.metric, 0.0) if entry.margin is None else entry.margin
    if entry.margin is None and KINDS[name] in ("order", "above"):
        margin = 0.0
    return Statement(
        kind=KINDS[name],
        quantities=[find({**common, **selector}, where, scope.candidates) for selector in selectors],
        steps=steps,
        published=entry.published if isinstance(entry.published, list) else [entry.published],
        tolerance=tolerance if isinstance(tolerance, tuple) else (tolerance, tolerance),
        margin=margin,
    )


def _steps(orders: list[list[Place]]) -> tuple[list[Selector], list[tuple[int, int]]]:
    """Return all selectors of some orders, and each pair of neighbours by its places, the larger first."""
    selectors: list[Selector] = []
    steps = []
    for order in orders:
        numbered = []
        for place in order:
            numbered.append(range(len(selectors), len(selectors) + len(place)))
            selectors += place
        steps += [step for above, below in pairwise(numbered) for step in product(above, below)]
    return selectors, steps
