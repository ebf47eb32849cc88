"""The section of a search: there for searches and large grids, with the figures of the records."""

import pandas as pd
import pytest

from cifarbench.analysis.results import Results
from cifarbench.analysis.search import best_of
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.report.section import Section, all_sections
from helpers.synthetic import row, synthetic


def searched(entry: dict[str, object]) -> tuple[Plan, pd.DataFrame]:
    plan = make_plan(parse({"studies": [{"name": "s", "title": "S", "runs": [entry]}]}))
    rows = [row(plan, n, "completed", list("abcdefghij")) for n in range(len(plan.runs))]
    return plan, pd.json_normalize(rows, sep=".")


def section_of(plan: Plan, table: pd.DataFrame) -> Section | None:
    found = [section for section in all_sections(Results(plan, table)) if section.block == "search"]
    return found[0] if found else None


def test_a_search_says_what_its_records_say() -> None:
    rate = {"log_uniform": [0.001, 0.1]}
    plan, table = searched({"learning_rate": rate, "model": ["lenet5", "baseline"], "samples": 10})
    table["final.test.top1"] = [0.5 + n / 1000 for n in range(20)]
    table["final.validation.top1"] = None
    section = section_of(plan, table)
    assert section is not None
    lenet5 = table.loc[table["config.model"] == "lenet5", "final.test.top1"]
    best = best_of("lenet5", lenet5.to_numpy())
    assert section.content["budget"][0] == (
        f"lenet5: one draw has {100 * best.mean[0]:.1f} ± {100 * best.deviation[0]:.1f} %; "
        f"the best of 3 has {100 * best.mean[2]:.1f} ± {100 * best.deviation[2]:.1f} %; "
        f"the best of 10 has {100 * best.mean[9]:.1f} ± {100 * best.deviation[9]:.1f} %."
    )
    shown = section.content["rows"]["rows"]["learning_rate"]
    assert {(point["value"], point["accuracy"]) for point in shown} == {
        (rate, float(f"{100 * accuracy:.4g}"))
        for rate, accuracy in zip(table["config.learning_rate"], table["final.test.top1"], strict=True)
    }
    assert [drawing.draw().svg.count("<svg") for drawing in section.plots] == [1, 1]


@pytest.mark.parametrize(
    ("entry", "compared"),
    [
        (
            {"epochs": [1, 2], "learning_rate": {"uniform": [0.01, 0.1]}, "samples": 3},
            ["epochs 1", "epochs 2"],
        ),
        ({"learning_rate": [0.01, 0.02, 0.03], "batch_size": [8, 16, 32]}, []),
        (
            {"learning_rate": [0.01, 0.02], "batch_size": [8, 16, 32], "optimizer": ["sgd", "adam"]},
            ["optimizer sgd", "optimizer adam"],
        ),
    ],
)
def test_colours_tell_what_is_compared_and_not_what_is_searched(
    entry: dict[str, object], compared: list[str]
) -> None:
    section = section_of(*searched(entry))
    assert section is not None
    assert [label for label, _, _ in section.content["colours"]] == compared


@pytest.mark.parametrize(
    ("entry", "there"),
    [
        ({"learning_rate": {"uniform": [0.01, 0.1]}, "samples": 3}, True),
        ({"learning_rate": {"uniform": [0.01, 0.1]}, "samples": 1}, False),
        ({"learning_rate": [0.01, 0.02, 0.03], "batch_size": [8, 16, 32]}, True),
        ({"learning_rate": [0.01, 0.02, 0.03], "batch_size": [8, 16]}, False),
        ({"learning_rate": [n / 100 for n in range(1, 12)]}, False),
    ],
)
def test_searches_and_large_grids_have_a_section(entry: dict[str, object], there: bool) -> None:
    assert (section_of(*searched(entry)) is not None) == there


def test_a_study_of_one_knob_has_none() -> None:
    assert section_of(*synthetic(configurations=12)) is None
