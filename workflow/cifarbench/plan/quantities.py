"""A quantity that published work tells a figure of: a metric of one configuration, named by a selector."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, ValidationError

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import KNOBS, UserError, explain, shown, suggest
from cifarbench.plan.grid import Frozen
from cifarbench.records.metrics import METRICS

Selector = dict[str, Any]
Entry = TypeVar("Entry", bound=Frozen)


def _known_metric(name: str) -> str:
    if name not in METRICS:
        raise ValueError("it is no metric" + suggest(name, METRICS))
    return name


MetricName = Annotated[str, AfterValidator(_known_metric)]


class Quantity(Frozen):
    """A metric of one configuration, at the end of training or at an epoch."""

    study: str
    configuration: str
    label: str
    metric: MetricName
    epoch: int | None = None


class Candidate(Frozen):
    """A configuration of a study, with the values of all its knobs, those that were left unset filled in."""

    study: str
    configuration: str
    label: str
    knobs: dict[str, Any]


class Scope(NamedTuple):
    """What entries are read against: the configurations there are, and the margin of each metric."""

    candidates: Sequence[Candidate]
    margins: Mapping[str, float]


def checked(model: type[Entry], data: Any, where: str, what: str) -> Entry:
    """Return an entry of the file, checked. Raise UserError with the place and the value."""
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: {shown(data)} is not allowed: {what} is a mapping")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(explain(error, where, model.model_fields)) from None


def find(selector: Selector, where: str, candidates: Sequence[Candidate]) -> Quantity:
    """Return the one configuration that a selector means."""
    own = {"study", "label", "metric", "epoch"}
    knobs = {name: value for name, value in selector.items() if name not in own}
    for name in knobs:
        if name not in TrainConfig.model_fields:
            raise UserError(
                f"{where}.{name}: unknown key" + suggest(name, [*own, *TrainConfig.model_fields], KNOBS)
            )
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
