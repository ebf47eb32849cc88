"""Judge published claims and tables by the records: `cifarbench claims PLAN TABLE`.

Each claim has two fields: whether it is reproduced as published, by the rules in `rules`, and whether its
explanation, if it has one, is supported:

- `without` the cause: the claim is reproduced as published, and without the cause it fails (the other way
  round, or equivalent within the margin), or most of the difference disappears;
- `with` the cause: the claim differs as it stands, and is reproduced with the cause.

A published table is one comparison, whose figures are adjusted together (Holm). Figures that a project gives
several times for one quantity are judged together, once.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.columns import is_timed
from cifarbench.analysis.rules import (
    DECIDED,
    OUTCOMES,
    Measured,
    Outcome,
    Ruling,
    difference,
    is_lost,
    most_of_it_goes,
    rule,
)
from cifarbench.analysis.stats import ALPHA, FEWEST
from cifarbench.plan.claims import Claim, Explanation, Statement
from cifarbench.plan.plan import Plan
from cifarbench.plan.published_tables import Copy
from cifarbench.plan.quantities import Quantity
from cifarbench.records.metrics import METRICS, TIMES

Support = Literal["supported", "not supported", "untested"]
Rows = dict[str, list[dict[str, Any]]]


class Evidence(NamedTuple):
    """The rows of each configuration that have a record, and the copies that data may be of."""

    rows: Rows
    copies: Sequence[Copy] = ()

    def measured(self, quantity: Quantity) -> Measured:
        """Return the quantity of each seed that has it."""
        timed = quantity.metric in TIMES
        rows = [row for row in self.rows.get(quantity.configuration, []) if not timed or is_timed(row)]
        metric = METRICS[quantity.metric]
        found = {int(row["config.seed"]): metric.of(row, quantity.epoch) for row in rows}
        values = {seed: value for seed, value in found.items() if value is not None}
        images = min((row["final.test.images"] for row in rows), default=1)
        resolution = 1 / images if quantity.metric == "test_accuracy" else 0.0
        return Measured(quantity.configuration, values, resolution)

    def copy_of(self, quantity: Quantity) -> Copy | None:
        """Return what copy of the images a quantity was measured on, if it lowers the metric."""
        hashes = {row["data.images_sha256"] for row in self.rows.get(quantity.configuration, [])}
        copies = (copy for copy in self.copies if copy.images_sha256 in hashes)
        return next((copy for copy in copies if quantity.metric in copy.lower), None)

    def lower(self, quantity: Quantity) -> float:
        copy = self.copy_of(quantity)
        return copy.lower[quantity.metric] if copy else 0.0

    def hardware(self, quantities: Sequence[Quantity]) -> set[tuple[str, int]]:
        """Return the devices, and numbers of threads, that trained what quantities are about."""
        return {
            (row["environment.device_name"], row["environment.threads"])
            for quantity in quantities
            for row in self.rows.get(quantity.configuration, [])
            if is_timed(row)
        }


def evidence(plan: Plan, table: pd.DataFrame) -> Evidence:
    done = table[table["status"] != "missing"]
    rows = {str(key): group.to_dict("records") for key, group in done.groupby("configuration")}
    return Evidence(rows, plan.copies)


class Verdict(NamedTuple):
    """A claim, what the records say of it as published, what of its explanation and why, how many seeds there
    are at least, and the means. `within` is the table that gives the claim's figure, too, and counts it."""

    claim: Claim
    ruling: Ruling
    explanation: tuple[Support, str] | None
    seeds: int
    measured: list[float]
    within: str = ""

    @property
    def outcome(self) -> Outcome:
        return self.ruling.outcome

    @property
    def uncounted(self) -> str:
        """Why it is not counted among the published verdicts; nothing if it is."""
        if self.claim.ours:
            return "our question"
        return f"a figure of table {self.within}" if self.within else ""


def judge(claim: Claim, known: Evidence) -> Verdict:
    ruling = decide(claim.statement, known)
    measured = [known.measured(quantity) for quantity in claim.statement.quantities]
    copy = known.copy_of(claim.statement.quantities[0])
    if claim.statement.kind in ("value", "above") and copy and ruling.outcome != "not run":
        ruling = ruling._replace(reason=f"{ruling.reason}; on {copy.what}")
    support = explain(claim, claim.explanation, ruling, known) if claim.explanation else None
    means = [float(np.mean(m.all)) for m in measured if m.values]
    return Verdict(claim, ruling, support, min(len(m.values) for m in measured), means)


def decide(statement: Statement, known: Evidence) -> Ruling:
    measured = [known.measured(quantity) for quantity in statement.quantities]
    lacking = [q.label for q, m in zip(statement.quantities, measured, strict=True) if not m.values]
    timed = any(quantity.metric in TIMES for quantity in statement.quantities)
    if lacking:
        what = "no time that may be ranked" if timed else "no record"
        return Ruling("not run", f"{what} of {'; '.join(dict.fromkeys(lacking))}")
    if timed and len(known.hardware(statement.quantities)) > 1:
        return Ruling("not run", "its runs come from different hardware, so their times are not compared")
    return rule(statement, measured, known.lower(statement.quantities[0]))


def explain(claim: Claim, explanation: Explanation, ruling: Ruling, known: Evidence) -> tuple[Support, str]:
    """Say whether an explanation is supported, and why."""
    other = decide(explanation.statement, known)
    if "not run" in (ruling.outcome, other.outcome):
        return "untested", "its runs are missing"
    needs: Outcome = "reproduced" if explanation.role == "without" else "differs"
    if ruling.outcome != needs:
        does = "is not reproduced" if needs == "reproduced" else "does not differ"
        return _unless_undecided(ruling, f"the claim itself {does}")
    if explanation.role == "with":
        if other.outcome == "reproduced":
            return "supported", f"with it: {other.reason}"
        return _unless_undecided(other, f"with it: {other.reason}")
    return _without(claim.statement, explanation, other, known)


def _unless_undecided(ruling: Ruling, reason: str) -> tuple[Support, str]:
    return ("untested" if ruling.outcome == "undecided" else "not supported"), reason


def _without(
    published: Statement, explanation: Explanation, ruling: Ruling, known: Evidence
) -> tuple[Support, str]:
    """Say whether a claim that is reproduced as published fails without the cause."""
    sound, margin, reason = explanation.statement, explanation.margin, f"without it: {ruling.reason}"
    if sound.kind == "value" and ruling.outcome != "differs":
        return _unless_undecided(ruling, reason)
    if ruling.outcome == "differs":
        return "supported", reason
    measured, before = ([known.measured(q) for q in s.quantities] for s in (sound, published))
    if min(len(m.values) for m in measured) < FEWEST:
        return "untested", reason
    gaps = [
        (difference(before[a], before[b]), difference(measured[c], measured[d]))
        for (a, b), (c, d) in zip(published.steps, sound.steps, strict=False)
    ]
    if any(is_lost(*gap, margin) for gap in gaps):
        return "supported", f"{reason}: the two are equivalent"
    if any(most_of_it_goes(*gap) for gap in gaps):
        return "supported", f"{reason}: most of the difference goes"
    return ("not supported" if ruling.outcome == "reproduced" else "untested"), reason


def counts(outcomes: Sequence[Outcome]) -> dict[Outcome, int]:
    return {outcome: outcomes.count(outcome) for outcome in OUTCOMES}


def wrong_by_chance(outcomes: Sequence[Outcome]) -> float:
    """Return how many of the decided verdicts chance alone would turn, at the level of the tests."""
    return ALPHA * sum(outcome in DECIDED for outcome in outcomes)
