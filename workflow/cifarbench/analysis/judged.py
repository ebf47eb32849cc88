"""All verdicts of a plan and its table together, counted and laid out: `cifarbench claims PLAN TABLE`."""

from typing import NamedTuple

import pandas as pd

from cifarbench.analysis.published import (
    Disagreement,
    Replicates,
    TableVerdict,
    disagreements,
    judge_tables,
    replicates,
)
from cifarbench.analysis.rules import Outcome, Ruling
from cifarbench.analysis.verdicts import Support, Verdict, counts, evidence, judge, wrong_by_chance
from cifarbench.plan.claims import Claim
from cifarbench.plan.plan import Plan
from cifarbench.records.metrics import METRICS
from cifarbench.words import count


class Judged(NamedTuple):
    """All verdicts on what was published: claims, tables, and figures that were given several times. Claims
    that are ours, or figures of a table, are judged, but not counted."""

    claims: list[Verdict]
    tables: list[TableVerdict]
    replicates: list[Replicates]
    disagreements: list[Disagreement]

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each verdict that is counted; one figure counts once."""
        claims = [verdict.outcome for verdict in self.claims if not verdict.uncounted]
        tables = [table.ruling.outcome for table in self.tables]
        return claims + tables + [group.ruling.outcome for group in self.replicates]

    @property
    def supports(self) -> list[Support]:
        return [verdict.explanation[0] for verdict in self.claims if verdict.explanation]


def judge_plan(plan: Plan, table: pd.DataFrame) -> Judged:
    known = evidence(plan, table)
    claims = [judge(claim, known)._replace(within=table_of(claim, plan)) for claim in plan.claims]
    return Judged(claims, judge_tables(plan, known), replicates(plan, known), disagreements(plan))


def table_of(claim: Claim, plan: Plan) -> str:
    """Return the table of the same project that gives the figure of a claim, too; nothing without one."""
    if claim.statement.kind != "value":
        return ""
    [figure] = {(q.configuration, q.metric, q.epoch) for q in claim.statement.quantities}
    for table in plan.tables:
        cells = (cell.quantity for row in table.rows for cell in row.cells if cell)
        if table.project == claim.project and figure in {(q.configuration, q.metric, q.epoch) for q in cells}:
            return table.id
    return ""


def text_table(judged: Judged) -> str:
    """Lay the verdicts out for a terminal, and count them."""
    lines = [line for verdict in judged.claims for line in _claim_lines(verdict)]
    for table in judged.tables:
        lines += [f"{table.ruling.outcome.upper():<11} table {table.table.id}: {table.table.title}"]
        lines += [f"{'':<11} {table.ruling.reason}"]
    for group in judged.replicates:
        figures = ", ".join(METRICS[group.metric].write(value) for value in group.published)
        lines += [f"{group.ruling.outcome.upper():<11} {group.label}, {METRICS[group.metric].title.lower()}"]
        lines += [
            f"{'':<11} published {figures}, in {group.project}; {group.ruling.reason}{needs(group.ruling)}"
        ]
    if not judged.outcomes:
        return "\n".join([*lines, "no verdict is counted: the plan has no claims of others"])
    counted = counts(judged.outcomes)
    told = ", ".join(f"{number} {outcome}" for outcome, number in counted.items() if number)
    chance = f"{wrong_by_chance(judged.outcomes):.1f} of those decided would be wrong by chance"
    return "\n".join([*lines, f"{count(len(judged.outcomes), 'verdict')}: {told}; {chance}"])


def _claim_lines(verdict: Verdict) -> list[str]:
    claim, ruling = verdict.claim, verdict.ruling
    metric = METRICS[claim.statement.quantities[0].metric]
    published = " > ".join(metric.write(value) for value in claim.statement.published) or "-"
    measured = " > ".join(metric.write(value) for value in verdict.measured) or "-"
    not_counted = f" ({verdict.uncounted}, not counted)" if verdict.uncounted else ""
    figures = f"published {published}, measured {measured} (n = {verdict.seeds})"
    lines = [
        f"{ruling.outcome.upper():<11} {claim.id}: {claim.says}{not_counted}",
        f"{'':<11} {figures}; {ruling.reason}{needs(ruling)}",
    ]
    if verdict.explanation and claim.explanation:
        support, why = verdict.explanation
        lines.append(f"{'':<11} explanation {support}: {claim.explanation.because}; {why}")
    return lines


def needs(ruling: Ruling) -> str:
    """Say how many seeds would decide what is undecided."""
    if ruling.outcome != "undecided":
        return ""
    return (
        f"; {ruling.seeds_needed} seeds would decide"
        if ruling.seeds_needed
        else "; more seeds alone would not"
    )
