"""Time to accuracy: what runs took until an accuracy, counted by hand, and what is said of the others."""

from typing import Any

import pandas as pd
import pytest
from scipy import stats

from cifarbench.analysis.configuration import configuration
from cifarbench.analysis.results import Results
from cifarbench.analysis.targets import EFFORTS, reached
from cifarbench.config.benchmark import parse
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import read_plan, write_plan
from cifarbench.report.section import Section, all_sections
from helpers.synthetic import row, synthetic

# Accuracies after each epoch, by seed; an epoch of the seed n takes n + 1 seconds.
CURVES = ([0.5, 0.91, 0.95, 0.9], [0.2, 0.4, 0.9, 0.92], [0.1, 0.2, 0.3, 0.93])


def table_of(plan: Plan, part: str = "validation") -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for number, accuracies in enumerate(CURVES):
        made = row(plan, number, "completed", list("abcdefghij"))
        for epoch, accuracy in zip(made["epochs"], accuracies, strict=True):  # type: ignore[call-overload]
            epoch["train_seconds"] = number + 1.0
            epoch["validation_accuracy"] = accuracy if part == "validation" else None
            epoch["test_accuracy"] = accuracy if part == "test" else 0.0
        rows.append(made)
    return pd.json_normalize(rows, sep=".")


def planned(targets: list[float], **knobs: object) -> Plan:
    runs = [{"epochs": 4, "seed": [0, 1, 2], **knobs}]
    study = {"name": "s", "title": "S", "target_accuracy": targets, "runs": runs}
    return make_plan(parse({"studies": [study]}))


def section_of(plan: Plan, table: pd.DataFrame) -> Section:
    [section] = [section for section in all_sections(Results(plan, table)) if section.block == "targets"]
    return section


def test_what_is_taken_is_counted_to_the_first_epoch_that_is_good_enough() -> None:
    found = reached(configuration("k", "K", table_of(planned([0.9]))), 0.9, "validation")
    assert (found.runs, found.reached) == (3, 3)
    assert found.efforts["epochs"] == {0: 2, 1: 3, 2: 4}
    assert found.efforts["images"] == {0: 90_000, 1: 135_000, 2: 180_000}
    assert found.efforts["flops"][0] == 3 * 90_000 * 1_303_440
    assert found.efforts["seconds"] == {0: 2.0, 1: 6.0, 2: 12.0}
    mean, times = found.over_seeds("epochs"), found.over_seeds("seconds")
    assert mean is not None
    assert (mean.centre, mean.high) == (3, pytest.approx(3 + stats.t.ppf(0.975, 2) / 3**0.5))
    assert times is not None
    assert (times.centre, times.low, times.high) == (6, 2, 12)


def test_little_work_is_not_rounded_to_none() -> None:
    values = (0, 4.837e9, 1.96e12, 1.5041e15)
    assert [EFFORTS["flops"].number(value) for value in values] == ["0.0", "0.005", "2.0", "1,504.1"]


def test_a_dropped_last_batch_is_no_work() -> None:
    table = table_of(planned([0.9], last_batch="drop"))
    assert reached(configuration("k", "K", table), 0.9, "validation").efforts["images"][0] == 2 * 44_928


def test_times_that_do_not_count_are_left_out() -> None:
    table = table_of(planned([0.9]))
    table["times"] = ["shared", "alone", "alone"]
    assert reached(configuration("k", "K", table), 0.9, "validation").efforts["seconds"] == {1: 6.0, 2: 12.0}


def test_the_section_says_who_did_not_get_there() -> None:
    plan = planned([0.94, 0.9, 0.99])
    section = section_of(plan, table_of(plan))
    said = {target: rows[0][1:] for target, rows in section.content["targets"]}
    assert list(said) == ["90 %", "94 %", "99 %"]
    assert said["90 %"] == (
        "reached in all 3",
        ["3.0 ± 2.5", "135,000 ± 111,786", "0.5 ± 0.4", "6.0 s (2.0 to 12.0)"],
    )
    assert said["94 %"] == ("not reached in 2 of 3", ["3.0", "135,000", "0.5", "3.0 s"])
    assert said["99 %"] == ("not reached in 3 of 3", ["–"] * 4)
    assert section.content["part"] == "validation"
    [drawn] = [plot.draw() for plot in section.plots]
    assert "not reached in 2 of 3" in drawn.svg
    assert "not reached in 2 of 3" in drawn.caption


def test_without_validation_images_the_test_counts_and_is_marked() -> None:
    plan = planned([0.9], validation_images=0)
    assert section_of(plan, table_of(plan, "test")).content["part"] == "test"


def test_a_study_without_targets_has_no_section_and_plans_keep_them(tmp_path: Any) -> None:
    plan, table = synthetic()
    assert "targets" not in {section.block for section in all_sections(Results(plan, table))}
    write_plan(planned([0.94, 0.9, 0.9]), tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json").studies[0].target_accuracy == [0.9, 0.94]


@pytest.mark.parametrize("targets", [[90], [0], ["high"], 0.9])
def test_a_target_that_is_no_share_is_one_line(targets: Any) -> None:
    with pytest.raises(
        UserError, match=r"^config\.studies\[0\]\.target_accuracy(\[0\])?: .* is not allowed: "
    ) as caught:
        planned(targets)
    assert "\n" not in str(caught.value)
