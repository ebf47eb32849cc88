"""Published claims as cards, by project, problems first: what was published, what was measured, and why."""

from collections.abc import Iterator
from typing import NamedTuple

from cifarbench.analysis.configuration import over_seeds
from cifarbench.analysis.judged import Judged, needs
from cifarbench.analysis.results import Results
from cifarbench.analysis.rules import Outcome
from cifarbench.analysis.verdicts import Evidence, Support, Verdict, counts, evidence, wrong_by_chance
from cifarbench.plan.claims import Claim
from cifarbench.plan.quantities import Quantity
from cifarbench.records.metrics import METRICS
from cifarbench.report.section import Section, project_anchor
from cifarbench.report.strips import Entry, Strips, strips
from cifarbench.report.words import few, spread
from cifarbench.words import listed

PLACE = 50
PROBLEMS_FIRST: tuple[Outcome, ...] = ("differs", "undecided", "reproduced")


class Card(NamedTuple):
    """A claim with runs: both verdicts, a strip for each quantity, why, and which rules decided."""

    claim: Claim
    source: str
    outcome: Outcome
    seeds: int
    reason: str
    explanation: Support | None
    because: str
    figure: Strips
    rule: str
    uncounted: str


class Project(NamedTuple):
    """A published project's claims: tested ones as cards, the others with what is missing."""

    name: str
    anchor: str
    cards: list[Card]
    waiting: list[Verdict]
    quantities: int


RULES = {
    "value": "A value is reproduced if one further run of ours, as the published one was, would fall there "
    "in 19 of 20 cases, give or take what rounding leaves open, and that is known to within the margin.",
    "order": "An order is reproduced if each step shows in a one-sided test (Welch, 5 %); it differs if a "
    "step shows the other way round (Holm).",
    "equal": "Two are equal if their difference lies within the margin (two one-sided tests); they differ if "
    "it lies beyond.",
    "no_gain": "There is no gain if the difference lies below the margin (one-sided test); it differs if it "
    "lies above.",
    "above": "All are above a value if each shows it in a one-sided test; it differs if one lies below "
    "(Holm).",
}
ROLES = {
    "without": "The explanation is supported if the claim is reproduced as published and fails without the "
    "cause, or most of the difference goes.",
    "with": "The explanation is supported if the claim differs as it stands and is reproduced with the "
    "cause.",
}


def sections(results: Results) -> Iterator[Section]:
    if not results.plan.claims:
        return
    groups: dict[str, list[Verdict]] = {}
    for verdict in results.judged.claims:
        groups.setdefault(verdict.claim.project, []).append(verdict)
    known = evidence(results.plan, results.done)
    projects = [project(name, verdicts, known) for name, verdicts in groups.items()]
    outcomes = [o for o in PROBLEMS_FIRST if any(card.outcome == o for p in projects for card in p.cards)]
    content = {"projects": projects, "outcomes": outcomes, "summary": summary(results.judged)}
    parts = [(p.anchor, p.name) for p in projects]
    yield Section("claims", "Published claims", "claims", content, parts=parts)


def summary(judged: Judged) -> str:
    """Count all verdicts on what was published, and how many of them chance alone would turn."""
    number = counts(judged.outcomes)
    tested = len(judged.outcomes) - number["not run"]
    said = listed([f"{number[o]} {_verb(o, number[o])}" for o in PROBLEMS_FIRST if number[o]])
    told = [
        f"Of {len(judged.outcomes)} published claims, tables and repeated figures, {tested} could be tested"
        f"{': ' if said else ''}{said}."
    ]
    if chance := wrong_by_chance(judged.outcomes):
        told.append(f"Of so many decisions, about {chance:.1f} would be wrong by chance alone.")
    if supported := judged.supports.count("supported"):
        told.append(f"{few(supported, 'explanation is', 'explanations are').capitalize()} supported.")
    return " ".join(told)


def _verb(outcome: Outcome, number: int) -> str:
    if outcome == "differs":
        return "differs" if number == 1 else "differ"
    return f"{'is' if number == 1 else 'are'} {outcome}"


def project(name: str, verdicts: list[Verdict], known: Evidence) -> Project:
    tested = [verdict for verdict in verdicts if verdict.outcome != "not run"]
    tested.sort(key=lambda verdict: PROBLEMS_FIRST.index(verdict.outcome))
    quantities = {q.model_dump_json() for v in verdicts for q in v.claim.statement.quantities}
    return Project(
        name,
        project_anchor(name),
        [card(verdict, known) for verdict in tested],
        [verdict for verdict in verdicts if verdict.outcome == "not run"],
        len(quantities),
    )


def card(verdict: Verdict, known: Evidence) -> Card:
    claim, statement = verdict.claim, verdict.claim.statement
    support, why = verdict.explanation or (None, "")
    rules = [RULES[statement.kind], *([ROLES[claim.explanation.role]] if claim.explanation else [])]
    return Card(
        claim,
        claim.source.partition(", ")[2],
        verdict.outcome,
        verdict.seeds,
        sentence(verdict.ruling.reason + needs(verdict.ruling)),
        support,
        sentence(f"{claim.explanation.because}: {why}") if claim.explanation else "",
        figure(verdict, known),
        " ".join(rules),
        verdict.uncounted,
    )


def sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def figure(verdict: Verdict, known: Evidence) -> Strips:
    statement = verdict.claim.statement
    metric = METRICS[statement.quantities[0].metric]
    bound = statement.published * len(statement.quantities) if statement.kind == "above" else []
    published = [*(bound or statement.published), *[None] * len(statement.quantities)]
    entries = [
        entry(quantity, known, value)
        for quantity, value in zip(statement.quantities, published, strict=False)
    ]
    said = [
        spread(e.seeds, quantity.metric)
        + ("" if e.published is None else f", published {metric.write(e.published)}")
        for e, quantity in zip(entries, statement.quantities, strict=True)
    ]
    alt = f"{metric.title}: " + "; ".join(f"{e.label} {s}" for e, s in zip(entries, said, strict=True))
    return strips(entries, metric, alt, said)


def entry(quantity: Quantity, known: Evidence, published: float | None) -> Entry:
    values = known.measured(quantity).values
    label = quantity.label + (f", epoch {quantity.epoch}" if quantity.epoch else "")
    seeds = over_seeds(list(values.values()), quantity.metric) if values else None
    return Entry(label, values, seeds, published)
