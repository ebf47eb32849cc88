"""What a look finds open, and that a schedule that was kept is known from one that was not."""

import numpy as np
import pandas as pd

from cifarbench.analysis.looks import kept, look
from cifarbench.analysis.results import Results
from cifarbench.analysis.stats import family_level
from cifarbench.plan.looks import as_of
from cifarbench.plan.plan import Look, Plan
from helpers.synthetic import synthetic

MEANS = (0.9, 0.895, 0.5)


def adaptive(compare: str = "best") -> tuple[Plan, pd.DataFrame]:
    """Return a plan with a schedule and the records of all runs that it may want."""
    plan, table = synthetic(configurations=3, seeds=8)
    study = plan.studies[0].model_copy(update={"schedule": (3, 5, 8), "compare": compare})
    plan = plan.model_copy(update={"studies": [study]})
    noise = np.random.default_rng(0).normal(0, 0.01, len(table))
    means = np.repeat(MEANS, 8)
    return plan, table.assign(**{"final.test.top1": means + noise})


def rows(plan: Plan, table: pd.DataFrame) -> pd.DataFrame:
    return table[table["run"].isin([run.id for run in plan.runs])]


def trained(compare: str = "best") -> Results:
    """Train as the schedule says."""
    plan, table = adaptive(compare)
    looks: list[Look] = []
    for _ in range(2):
        now = as_of(plan, looks)
        looks.append(look(now, rows(now, table)))
    now = as_of(plan, looks)
    return Results(now, rows(now, table))


def test_only_what_cannot_be_told_apart_gets_more_seeds() -> None:
    results = trained()
    first, second, last = results.plan.studies[0].labels
    assert [one.open for one in results.plan.looks] == [{"rates": sorted([first, second])}] * 2
    assert results.table.groupby("configuration").size().to_dict() == {first: 8, second: 8, last: 3}


def test_all_looks_share_the_level() -> None:
    [family] = trained().families.values()
    assert family.level == family_level(3, looks=3) == 0.01


def test_steps_are_open_on_both_sides() -> None:
    results = trained("previous")
    first, second, last = results.plan.studies[0].labels
    assert set(results.plan.looks[0].open["rates"]) == {first, second}
    assert last not in results.plan.looks[0].open["rates"]


def test_the_last_look_asks_for_nothing() -> None:
    results = trained()
    assert look(results.plan, results.table).open == {}


def test_a_schedule_that_was_kept_is_known() -> None:
    results = trained()
    assert kept(results)
    _, table = adaptive()
    changed = results.table.copy()
    changed.loc[changed["configuration"] == list(results.plan.studies[0].labels)[1], "final.test.top1"] -= 0.4
    assert not kept(Results(results.plan, changed))
    opened = [one.model_copy(update={"open": {"rates": []}}) for one in results.plan.looks]
    plan = results.plan.model_copy(update={"looks": opened})
    assert not kept(Results(plan, table))
