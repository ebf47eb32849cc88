"""Looks at the seeds so far: which configurations of a study with a schedule are still open.

A configuration is open if one of the differences that answer its study is not told apart, at the level of the
family shared by all looks. A look follows from the plan, the looks before it and the records alone, so that
`kept` can show that a schedule was kept.
"""

import pandas as pd

from cifarbench.analysis.contrasts import contrasts
from cifarbench.analysis.results import Results
from cifarbench.plan.looks import as_of
from cifarbench.plan.plan import Look, Plan


def look(plan: Plan, table: pd.DataFrame) -> Look:
    """Look at the runs that a plan wants after the looks that it holds."""
    found: dict[str, set[str]] = {}
    for measured in Results(plan, table).studies:
        schedule = measured.study.schedule
        undecided = [pair for pair in contrasts(measured) if not pair.rival.differs and not pair.same_runs]
        if len(plan.looks) < len(schedule) - 1:
            keys = {c.key for pair in undecided for c in (pair.first, pair.second)}
            found.setdefault(measured.study.name, set()).update(keys)
    return Look(open={study: sorted(keys) for study, keys in found.items()})


def kept(results: Results) -> bool:
    """Say whether each look finds again in the records what it found."""
    looks = results.plan.looks
    return all(look(*_before(results, number)) == looks[number] for number in range(len(looks)))


def _before(results: Results, number: int) -> tuple[Plan, pd.DataFrame]:
    """Return the plan and the table that look `number`, from 0, was taken at."""
    plan = as_of(results.plan, results.plan.looks[:number])
    return plan, results.table[results.table["run"].isin([run.id for run in plan.runs])]
