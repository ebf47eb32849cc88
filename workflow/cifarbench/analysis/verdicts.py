"""Judge published claims by the records, by rule: `cifarbench claims PLAN TABLE`.

- A value holds if one further run of ours, as the published one was, would fall there in 19 of 20 cases:
  the published value, give or take its tolerance, lies in the prediction interval of our seeds. If that
  reaches further than a tenth of the value to each side, seed noise hides it.
- An order holds if each difference between neighbours, taken seed by seed, is above zero (paired t-test,
  Holm over the claim's neighbours, 5 %); it does not hold if one is below zero; else seed noise hides it.
- Equality holds if the interval of the difference lies within the tolerance; it does not if it lies
  outside; else seed noise hides it.
- A claim is an artefact if its explanation's own order or equality holds.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.stats import (
    FEWEST,
    Difference,
    chance_difference,
    holm,
    paired,
    prediction_interval,
    single_seed_noise,
)
from cifarbench.plan.claims import Claim, Quantity, Statement
from cifarbench.plan.plan import Plan
from cifarbench.records.metrics import METRICS, TIMES

ALPHA = 0.05
VAGUE = 0.1  # half the width, as a share of the published value, from which an interval says nothing

Outcome = Literal["holds", "does not hold", "within seed noise", "artefact", "too few seeds", "not run"]
OUTCOMES: tuple[Outcome, ...] = (
    "holds",
    "does not hold",
    "within seed noise",
    "artefact",
    "too few seeds",
    "not run",
)
TESTED = OUTCOMES[:4]


class Verdict(NamedTuple):
    """A claim's outcome, the seeds and means that decide, and the reason in words."""

    claim: Claim
    outcome: Outcome
    seeds: int
    measured: list[float]
    reason: str


def judge_all(plan: Plan, table: pd.DataFrame) -> list[Verdict]:
    rows = {str(key): group.to_dict("records") for key, group in table.groupby("configuration")}
    return [judge(claim, rows) for claim in plan.claims]


def judge(claim: Claim, rows: dict[str, list[dict[str, Any]]]) -> Verdict:
    """Return the verdict from the rows of each configuration."""
    outcome, reason = decide(claim.statement, rows)
    if claim.artefact and outcome != "not run":
        explained, evidence = decide(claim.artefact.evidence, rows)
        if explained == "holds":
            outcome, reason = "artefact", f"{claim.artefact.because} ({evidence})"
        elif explained in ("not run", "too few seeds"):
            reason += "; whether it is an artefact has not been run"
    values = [by_seed(quantity, rows) for quantity in claim.statement.quantities]
    measured = [float(np.mean(list(v.values()))) for v in values if v]
    return Verdict(claim, outcome, min(map(len, values)), measured, reason)


def decide(statement: Statement, rows: dict[str, list[dict[str, Any]]]) -> tuple[Outcome, str]:
    values = [by_seed(quantity, rows) for quantity in statement.quantities]
    if not all(values):
        lacking = [q.label for q, v in zip(statement.quantities, values, strict=True) if not v]
        return "not run", f"no record of {'; '.join(lacking)}"
    if any(q.metric in TIMES for q in statement.quantities) and len(hardware(statement, rows)) > 1:
        return "not run", "its runs come from different hardware, so their times are not compared"
    if min(map(len, values)) < FEWEST:
        return "too few seeds", f"fewer than {FEWEST} seeds tell too little about the noise"
    return RULES[statement.kind](statement, values)


def decide_value(statement: Statement, values: list[dict[int, float]]) -> tuple[Outcome, str]:
    [published], metric = statement.published, statement.quantities[0].metric
    predicted = prediction_interval(list(values[0].values()), share=METRICS[metric].is_share)
    assert predicted is not None  # there are enough seeds
    _, low, high = predicted
    inside = low - statement.tolerance <= published <= high + statement.tolerance
    vague = high - low > 2 * VAGUE * abs(published)
    outcome: Outcome = "does not hold" if not inside else "within seed noise" if vague else "holds"
    ends = f"{METRICS[metric].write(low)} and {METRICS[metric].write(high)}"
    return outcome, f"19 of 20 further runs would fall between {ends}"


def decide_order(statement: Statement, values: list[dict[int, float]]) -> tuple[Outcome, str]:
    tested = [difference for a, b in pairwise(values) if (difference := by_shared_seeds(a, b))]
    if len(tested) < len(values) - 1:
        return "too few seeds", f"fewer than {FEWEST} seeds are shared"
    steps = list(zip(tested, holm([difference.p_equal() for difference in tested]), strict=True))
    significant = [difference.mean > 0 for difference, p in steps if p < ALPHA]
    outcome: Outcome = (
        "does not hold"
        if not all(significant)
        else "within seed noise"
        if len(significant) < len(steps)
        else "holds"
    )
    metric = statement.quantities[0].metric
    told = "; ".join(f"{in_words(difference, metric)}, p {p:.2g}" for difference, p in steps)
    return outcome, f"difference by seed: {told}{single_seeds(statement, values)}"


def single_seeds(statement: Statement, values: list[dict[int, float]]) -> str:
    """Set the published differences, of a single seed each, beside what our seeds say of such ones."""
    deviation = single_seed_noise([list(v.values()) for v in values])
    if not statement.published or deviation is None:
        return ""
    metric = statement.quantities[0].metric
    published = "; ".join(METRICS[metric].difference(a - b) for a, b in pairwise(statement.published))
    by_chance = METRICS[metric].number(chance_difference(deviation))
    return f"; published {published}, where two single seeds differ by up to {by_chance} in 19 of 20 cases"


def decide_equal(statement: Statement, values: list[dict[int, float]]) -> tuple[Outcome, str]:
    difference = by_shared_seeds(*values)
    if difference is None:
        return "too few seeds", f"fewer than {FEWEST} seeds are shared"
    metric, limit = statement.quantities[0].metric, statement.tolerance
    _, low, high = difference.interval()
    inside = -limit <= low and high <= limit
    outside = low > limit or high < -limit
    outcome: Outcome = "holds" if inside else "does not hold" if outside else "within seed noise"
    told = in_words(difference, metric)
    return outcome, f"difference by seed: {told}{single_seeds(statement, values)}"


def by_shared_seeds(first: dict[int, float], second: dict[int, float]) -> Difference | None:
    seeds = sorted(first.keys() & second.keys())
    return paired([first[seed] for seed in seeds], [second[seed] for seed in seeds])


RULES: dict[str, Callable[[Statement, list[dict[int, float]]], tuple[Outcome, str]]] = {
    "value": decide_value,
    "order": decide_order,
    "equal": decide_equal,
}


def hardware(statement: Statement, rows: dict[str, list[dict[str, Any]]]) -> set[tuple[str, int]]:
    """Return the devices, and numbers of threads, that trained what a statement is about."""
    return {
        (row["environment.device_name"], row["environment.threads"])
        for quantity in statement.quantities
        for row in rows.get(quantity.configuration, [])
        if row["status"] != "missing"
    }


def by_seed(quantity: Quantity, rows: dict[str, list[dict[str, Any]]]) -> dict[int, float]:
    """Return the quantity of each seed that has it."""
    records = [row for row in rows.get(quantity.configuration, []) if row["status"] != "missing"]
    metric = METRICS[quantity.metric]
    found = {int(row["config.seed"]): metric.of(row, quantity.epoch) for row in records}
    return {seed: value for seed, value in found.items() if value is not None}


def in_words(difference: Difference, metric: str) -> str:
    """Write a difference with its interval."""
    mean, low, high = (METRICS[metric].difference(end) for end in difference.interval())
    return f"{mean} [{low}, {high}]"


def counts(verdicts: list[Verdict]) -> dict[Outcome, int]:
    return {outcome: sum(verdict.outcome == outcome for verdict in verdicts) for outcome in OUTCOMES}


def text_table(verdicts: list[Verdict]) -> str:
    """Lay the verdicts out for a terminal, and count them."""
    lines = []
    for verdict in verdicts:
        claim, metric = verdict.claim, verdict.claim.statement.quantities[0].metric
        published = " > ".join(METRICS[metric].write(value) for value in claim.statement.published) or "-"
        measured = " > ".join(METRICS[metric].write(value) for value in verdict.measured) or "-"
        lines += [
            f"{verdict.outcome.upper():<18} {claim.id}: {claim.says}",
            f"{'':<18} published {published}, measured {measured} (n = {verdict.seeds}); {verdict.reason}",
        ]
    told = ", ".join(f"{number} {outcome}" for outcome, number in counts(verdicts).items() if number)
    return "\n".join([*lines, f"{len(verdicts)} claims: {told}"])
