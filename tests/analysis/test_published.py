"""Published tables beside ours: each figure in its place, judged together, and what is given twice once."""

from typing import Any

import pytest

from cifarbench.analysis.judged import judge_plan, table_of
from cifarbench.analysis.published import disagreements, judge_tables, replicates
from cifarbench.analysis.verdicts import Evidence
from cifarbench.plan.plan import Plan
from cifarbench.plan.published_tables import Cell, PublishedTable, Row
from helpers.claims import claim, quantity
from helpers.synthetic import synthetic

NOISE = (0.0, 0.004, -0.003, 0.002, -0.001)
EXACT = {"tolerance": (0.0, 0.0), "margin": 0.02}


def evidence(seeds: int = 5, **means: float) -> Evidence:
    return Evidence(
        {
            name: [
                {
                    "status": "completed",
                    "config.seed": seed,
                    "final.test.top1": mean + NOISE[(seed * (1 + place)) % 5],
                    "final.test.images": 10_000,
                    "seconds.train": 100 * mean,
                    "environment.device_name": "Synthetic Processor",
                    "environment.threads": 1,
                    "data.images_sha256": "b",
                    "epochs": [],
                }
                for seed in range(seeds)
            ]
            for place, (name, mean) in enumerate(means.items())
        }
    )


def plan_of(project: str = "P", **published: tuple[float, float] | float) -> Plan:
    """Return a plan whose one table has accuracy and time of each configuration."""
    rows = []
    for name, figures in published.items():
        accuracy, seconds = figures if isinstance(figures, tuple) else (figures, 1.0)
        cells = [
            Cell(quantity=quantity(name), published=accuracy, **EXACT),
            Cell(quantity=quantity(name, metric="seconds"), published=seconds, **EXACT),
        ]
        rows.append(Row(label=name, cells=cells))
    columns = ["test_accuracy", "seconds"]
    table = PublishedTable(id=project, source=f"{project}, a table", title="T", columns=columns, rows=rows)
    return synthetic()[0].model_copy(update={"tables": [table]})


def together(*plans: Plan) -> Plan:
    return plans[0].model_copy(update={"tables": [table for plan in plans for table in plan.tables]})


def test_each_figure_stands_beside_ours() -> None:
    [judged] = judge_tables(plan_of(a=(0.7, 200), b=(0.6, 100)), evidence(a=0.7, b=0.6))
    accuracy, seconds = judged.cells[1]
    assert accuracy is not None
    assert seconds is not None
    assert accuracy.ruling is not None
    assert (accuracy.published, accuracy.ruling.outcome) == (0.6, "reproduced")
    assert accuracy.ours is not None
    assert accuracy.ours.centre == pytest.approx(0.6004)
    assert len(accuracy.ours.values) == 5
    # Times are ratios to the first row, and not judged.
    assert seconds.published == 0.5
    assert seconds.ours is not None
    assert seconds.ours.centre == pytest.approx(6 / 7)
    assert seconds.ruling is None


@pytest.mark.parametrize(
    ("b", "outcome", "decided"),
    [
        (0.6, "reproduced", "2 are reproduced and 0 differ"),
        (0.7, "differs", "1 is reproduced and 1 differs"),
        (None, "undecided", "1 is reproduced and 0 differ"),
    ],
)
def test_a_table_is_one_comparison(b: float | None, outcome: str, decided: str) -> None:
    measured: dict[str, Any] = {"a": 0.7} | ({} if b is None else {"b": b})
    [judged] = judge_tables(plan_of(a=0.7, b=0.6), evidence(**measured))
    assert judged.ruling.outcome == outcome
    assert f", of which {decided} (Holm" in judged.ruling.reason
    [judged] = judge_tables(plan_of(a=0.7, b=0.6), evidence())
    assert judged.ruling.outcome == "not run"


def test_figures_given_several_times_are_judged_together_once() -> None:
    plan = together(plan_of(a=0.70), plan_of(a=0.71), plan_of(a=0.69), plan_of("Q", a=0.9))
    [group] = replicates(plan, evidence(a=0.7))
    assert group.project == "P"
    assert group.published == [0.70, 0.71, 0.69]
    assert group.ruling.outcome == "reproduced"
    assert "the mean of 3 further runs would fall" in group.ruling.reason
    [group] = replicates(plan, evidence(a=0.8))
    assert group.ruling.outcome == "differs"


def test_a_figure_that_is_given_again_is_not_judged_in_each_table() -> None:
    """Else one wrong quantity would turn the verdict on every table that repeats it."""
    plan = together(plan_of(a=0.7, b=0.6), plan_of(a=0.7, c=0.5))
    judged = judge_tables(plan, evidence(a=0.9, b=0.6, c=0.5))
    assert [table.ruling.outcome for table in judged] == ["reproduced", "reproduced"]
    assert [table.cells[0][0].ruling.outcome for table in judged] == ["differs", "differs"]  # type: ignore[union-attr]
    told = "1 figure judged with others of the same runs; of the rest, 1 of 1 figures measured"
    assert judged[0].ruling.reason.startswith(told)
    [group] = replicates(plan, evidence(a=0.9))
    assert group.ruling.outcome == "differs"
    first = judge_tables(plan, evidence(a=0.9))[0]
    assert (first.ruling.outcome, first.measured) == ("not run", True)
    assert not judge_tables(plan, evidence())[0].measured


def test_runs_that_end_alike_are_one_quantity() -> None:
    found = evidence(a=0.7)
    found.rows["b"] = found.rows["a"]
    plan = plan_of(a=0.7, b=0.71)
    [group] = replicates(plan, found)
    assert group.published == [0.7, 0.71]
    assert replicates(plan, evidence(a=0.7, b=0.7)) == []


def test_projects_that_disagree_on_one_recipe_are_shown() -> None:
    [told] = disagreements(together(plan_of(a=0.71), plan_of("Q", a=0.79), plan_of("Q", b=0.5)))
    assert told == ("a", "test_accuracy", [("P", 0.71), ("Q", 0.79)])
    assert disagreements(together(plan_of(a=0.71), plan_of("Q", a=0.71))) == []


def test_a_claim_that_repeats_a_figure_of_a_table_counts_once() -> None:
    plan = plan_of(a=0.7)
    value, elsewhere = (claim("value", name, published=[0.7]) for name in "ab")
    assert table_of(value, plan) == "P"
    assert table_of(elsewhere, plan) == ""
    assert table_of(claim("order", "a", "b"), plan) == ""
    assert table_of(value, plan_of("Q", a=0.7)) == ""  # another project's figure
    claims = [value, elsewhere.model_copy(update={"id": "d"})]
    _, table = synthetic()
    judged = judge_plan(plan.model_copy(update={"claims": claims}), table)
    assert [verdict.uncounted for verdict in judged.claims] == ["a figure of table P", ""]
    assert len(judged.outcomes) == 2  # the table, and the claim that stands alone
