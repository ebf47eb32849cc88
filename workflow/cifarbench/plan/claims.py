"""What published projects claim, and which configurations test it: the file that a config's `claims` names.

Each claim says its source, the claim in words, a metric, and one of

- `published` and `of`: the metric of one configuration has this value (several at once: `cells`),
- `order`: it is larger for each configuration than for the next,
- `equal`: it is the same for two, within `tolerance`.

A configuration is named by its study and by its label, or by as many knobs as tell it from the others;
`epoch` takes the metric at that epoch instead of at the end (-1 is the last one). An `artefact` explains
what else makes a claim look true, with an `order` or `equal` of its own that must hold for the explanation
to count. The verdicts come from the records, see `verdicts`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cifarbench.config.knobs import TrainConfig
from cifarbench.config.reading import read
from cifarbench.errors import UserError, explain, shown, suggest
from cifarbench.records.metrics import METRICS


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError("it is no metric" + suggest(name, METRICS))
    return name


MetricName = Annotated[str, AfterValidator(_known_metric)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Quantity(_Frozen):
    """A metric of one configuration, at the end of training or at an epoch."""

    study: str
    configuration: str
    label: str
    metric: MetricName
    epoch: int | None = None


class Statement(_Frozen):
    """What is said of some quantities: a published value, an order (largest first) or equality."""

    kind: Literal["value", "order", "equal"]
    quantities: list[Quantity]
    published: list[float] = []
    tolerance: float = 0.0


class Artefact(_Frozen):
    because: str
    evidence: Statement


class Claim(_Frozen):
    id: str
    source: str
    says: str
    statement: Statement
    artefact: Artefact | None = None


class _Entry(_Frozen):
    """A statement as the file has it. Its selectors are resolved once the studies are known."""

    metric: MetricName
    where: dict[str, Any] = {}
    of: dict[str, Any] | None = None
    order: list[dict[str, Any]] | None = Field(None, min_length=2)
    equal: list[dict[str, Any]] | None = Field(None, min_length=2, max_length=2)
    published: float | list[float] = []
    tolerance: float = Field(0.0, ge=0)

    @model_validator(mode="after")
    def _says_one_thing(self) -> "_Entry":
        given = [name for name in ("of", "order", "equal") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"exactly one of 'of', 'order' and 'equal' is needed, not {given}")
        if self.of is not None and not isinstance(self.published, float):
            raise ValueError("'of' needs the value that was 'published'")
        return self


class _ArtefactEntry(_Entry):
    because: str


class _ClaimEntry(_Entry):
    id: str = Field(min_length=1)
    source: str
    says: str
    artefact: _ArtefactEntry | None = None


class Candidate(_Frozen):
    """A configuration of a study, with the values of all its knobs, those that were left unset filled in."""

    study: str
    configuration: str
    label: str
    knobs: dict[str, Any]


def read_claims(path: Path, candidates: Sequence[Candidate]) -> list[Claim]:
    """Read a file of claims and find the configurations that each one means.

    Raise UserError naming the claim whose entry is wrong, or that means no configuration or several.
    """
    data = read(path)
    entries = data.get("claims") if isinstance(data, Mapping) else None
    if not isinstance(entries, list):
        raise UserError(f"{path}: must be a mapping with the key 'claims', a list")
    claims = [
        claim
        for n, entry in enumerate(entries)
        for claim in _claims(entry, f"{path}, claims[{n}]", candidates)
    ]
    for n, claim in enumerate(claims):
        if claim.id in {other.id for other in claims[:n]}:
            raise UserError(f"{path}: two claims have the id {claim.id!r}; give each its own")
    return claims


def _claims(data: Any, where: str, candidates: Sequence[Candidate]) -> list[Claim]:
    """Return the claim of an entry, or one for each of its cells."""
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: {shown(data)} is not allowed: a claim is a mapping")
    cells = data.get("cells", [{}])
    if not isinstance(cells, list) or not cells or not all(isinstance(cell, Mapping) for cell in cells):
        raise UserError(f"{where}.cells: {shown(cells)} is not allowed: it must be a list of mappings")
    common = {name: value for name, value in data.items() if name != "cells"}
    claims = []
    for n, cell in enumerate(cells):
        try:
            entry = _ClaimEntry.model_validate({**common, **cell})
        except ValidationError as error:
            raise UserError(explain(error, where, [*_ClaimEntry.model_fields, "cells"])) from None
        place = f"{where} ({entry.id})"
        statement = _statement(entry, place, candidates)
        artefact = entry.artefact and Artefact(
            because=entry.artefact.because,
            evidence=_statement(entry.artefact, f"{place}.artefact", candidates),
        )
        last = statement.quantities[0].label
        identity, says = (
            (f"{entry.id}-{n + 1}", f"{entry.says}: {last}") if "cells" in data else (entry.id, entry.says)
        )
        claims.append(
            Claim(id=identity, source=entry.source, says=says, statement=statement, artefact=artefact)
        )
    return claims


def _statement(entry: _Entry, where: str, candidates: Sequence[Candidate]) -> Statement:
    kind: Literal["value", "order", "equal"] = (
        "value" if entry.of is not None else "order" if entry.order else "equal"
    )
    selectors = [entry.of] if entry.of is not None else entry.order or entry.equal or []
    return Statement(
        kind=kind,
        quantities=[
            _find({"metric": entry.metric, **entry.where, **s}, where, candidates) for s in selectors
        ],
        published=entry.published if isinstance(entry.published, list) else [entry.published],
        tolerance=entry.tolerance,
    )


def _find(selector: dict[str, Any], where: str, candidates: Sequence[Candidate]) -> Quantity:
    """Return the one configuration that a selector means."""
    own = {"study", "label", "metric", "epoch"}
    knobs = {name: value for name, value in selector.items() if name not in own}
    for name in knobs:
        if name not in TrainConfig.model_fields:
            raise UserError(f"{where}.{name}: unknown key" + suggest(name, [*own, *TrainConfig.model_fields]))
    studies = {candidate.study for candidate in candidates}
    study = selector.get("study")
    if not isinstance(study, str) or study not in studies:
        raise UserError(f"{where}.study: {shown(study)} is no study" + suggest(str(study), studies))
    of_study = [candidate for candidate in candidates if candidate.study == study]
    found = [
        candidate
        for candidate in of_study
        if selector.get("label", candidate.label) == candidate.label
        and all(candidate.knobs[name] == value for name, value in knobs.items())
    ]
    if len(found) != 1:
        means = "none" if not found else "several: " + "; ".join(c.label for c in found)
        raise UserError(
            f"{where}: {shown(selector)} means {means}; study {study!r} has "
            f"{'; '.join(c.label for c in of_study)}"
        )
    facts = found[0].model_dump(include={"study", "configuration", "label"})
    try:
        quantity = Quantity(**facts, metric=selector["metric"], epoch=selector.get("epoch"))
    except ValidationError as error:
        raise UserError(explain(error, where)) from None
    _check_epoch(quantity, found[0].knobs["epochs"], where)
    return quantity


def _check_epoch(quantity: Quantity, epochs: int, where: str) -> None:
    """Raise UserError if the metric can have no value there, so that the claim would never be tested."""
    metric, epoch = METRICS[quantity.metric], quantity.epoch
    if epoch is not None and metric.after is None:
        by_epoch = ", ".join(sorted(name for name, other in METRICS.items() if other.after))
        raise UserError(
            f"{where}.epoch: {epoch} is not allowed: {quantity.metric} is known at the end of training only; "
            f"known at each epoch: {by_epoch}"
        )
    fewest, place = metric.fewest_epochs, epochs if epoch is None else epoch
    allowed = {*range(fewest, epochs + 1), *range(fewest - epochs - 1, 0)}
    if place not in allowed:
        raise UserError(
            f"{where}.epoch: {place} is not allowed: {quantity.label!r} trains for {epochs}, and "
            f"{quantity.metric} takes at least {fewest} (count from 1, or from the last one, -1)"
        )
