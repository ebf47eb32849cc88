"""Published claims as cards, by project, problems first: what was published, what was measured, and why."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from cifarbench.analysis.configuration import over_seeds
from cifarbench.analysis.results import Results
from cifarbench.analysis.verdicts import OUTCOMES, TESTED, Verdict, by_seed
from cifarbench.plan.claims import Claim, Quantity
from cifarbench.records.metrics import METRICS
from cifarbench.report.section import Section, project_anchor
from cifarbench.report.strips import Entry, Strips, strips
from cifarbench.words import count

PLACE = 50
Rows = dict[str, list[dict[str, Any]]]
ENDS = (min, max)
PROBLEMS_FIRST = ("does not hold", "artefact", "within seed noise", "holds")


class Card(NamedTuple):
    """A tested claim: its verdict, a strip for each quantity, why, and which rule decided."""

    claim: Claim
    source: str
    outcome: str
    seeds: int
    reason: str
    figure: Strips
    rule: str


class Project(NamedTuple):
    """A published project's claims: tested ones as cards, the others with what is missing."""

    name: str
    anchor: str
    cards: list[Card]
    waiting: list[Verdict]
    quantities: int
    repeats: list[str]
    """What the project published of one and the same configuration, where that differs."""


RULES = {
    "value": "A value holds if one further run of ours, as the published one was, would fall there in 19 of "
    "20 cases, give or take what rounding leaves open.",
    "order": "An order holds if each difference between neighbours is above zero beyond seed noise.",
    "equal": "Equality holds if the interval of the difference lies within what the claim leaves open.",
}
EXPLAINED = "An artefact has an explanation that was itself tested."


def sections(results: Results) -> Iterator[Section]:
    if not results.plan.claims:
        return
    groups: dict[str, list[Verdict]] = {}
    for verdict in results.verdicts:
        groups.setdefault(project_of(verdict.claim), []).append(verdict)
    needed = {q.configuration for claim in results.plan.claims for q in claim.statement.quantities}
    done = results.done[results.done["configuration"].isin(needed)]
    rows: Rows = {str(key): group.to_dict("records") for key, group in done.groupby("configuration")}
    projects = [project(name, verdicts, rows) for name, verdicts in groups.items()]
    outcomes = [o for o in PROBLEMS_FIRST if any(card.outcome == o for p in projects for card in p.cards)]
    content = {"projects": projects, "outcomes": outcomes, "summary": summary(results.verdicts)}
    parts = [(p.anchor, p.name) for p in projects]
    yield Section("claims", "Published claims", "claims", content, parts=parts)


def project_of(claim: Claim) -> str:
    return claim.source.partition(",")[0]


def summary(verdicts: list[Verdict]) -> str:
    tested = [verdict for verdict in verdicts if verdict.outcome in TESTED]
    counted = {outcome: sum(verdict.outcome == outcome for verdict in tested) for outcome in OUTCOMES}
    said = ", ".join(f"{outcome} {n}" for outcome, n in counted.items() if n)
    return f"Of {count(len(verdicts), 'published claim')}, {len(tested)} could be tested: {said}."


def project(name: str, verdicts: list[Verdict], rows: Rows) -> Project:
    tested = [verdict for verdict in verdicts if verdict.outcome in TESTED]
    tested.sort(key=lambda verdict: PROBLEMS_FIRST.index(verdict.outcome))
    quantities = {q.model_dump_json() for v in verdicts for q in v.claim.statement.quantities}
    return Project(
        name,
        project_anchor(name),
        [card(verdict, rows) for verdict in tested],
        [verdict for verdict in verdicts if verdict.outcome not in TESTED],
        len(quantities),
        repeats(verdicts),
    )


def repeats(verdicts: list[Verdict]) -> list[str]:
    """Say where one quantity was published with different values, which is the project's own noise."""
    values: dict[tuple[str, str, int | None], set[float]] = {}
    labels: dict[tuple[str, str, int | None], Quantity] = {}
    for verdict in verdicts:
        statement = verdict.claim.statement
        for quantity, value in zip(statement.quantities, statement.published, strict=False):
            key = (quantity.configuration, quantity.metric, quantity.epoch)
            values.setdefault(key, set()).add(value)
            labels.setdefault(key, quantity)
    return [
        f"{labels[key].label}: published as {' to '.join(METRICS[key[1]].write(end(found)) for end in ENDS)}"
        for key, found in values.items()
        if len(found) > 1
    ]


def card(verdict: Verdict, rows: Rows) -> Card:
    statement = verdict.claim.statement
    metric = METRICS[statement.quantities[0].metric]
    entries = [
        entry(quantity, rows, statement.published[n] if n < len(statement.published) else None)
        for n, quantity in enumerate(statement.quantities)
    ]
    said = [
        metric.write(e.seeds.centre if e.seeds else None)
        + ("" if e.published is None else f", published {metric.write(e.published)}")
        for e in entries
    ]
    alt = f"{metric.title}: " + "; ".join(f"{e.label} {s}" for e, s in zip(entries, said, strict=True))
    rule = RULES[statement.kind] + (f" {EXPLAINED}" if verdict.claim.artefact else "")
    return Card(
        verdict.claim,
        verdict.claim.source.partition(", ")[2],
        verdict.outcome,
        verdict.seeds,
        f"{verdict.reason[:1].upper()}{verdict.reason[1:].rstrip('.')}.",
        strips(entries, metric, alt, said),
        rule,
    )


def entry(quantity: Quantity, rows: Rows, published: float | None) -> Entry:
    values = by_seed(quantity, rows)
    label = quantity.label + (f", epoch {quantity.epoch}" if quantity.epoch else "")
    return Entry(
        label, values, over_seeds(list(values.values()), quantity.metric) if values else None, published
    )
