"""What is done, and how long the rest may take."""

from pathlib import Path

import pytest

from cifarbench.config.benchmark import parse
from cifarbench.machine import device_name_for
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Record
from cifarbench.sweep.expectation import expect, in_words, outlook
from helpers.synthetic import record


def plan_of(*runs: dict[str, object]) -> Plan:
    return make_plan(parse({"studies": [{"name": "a", "title": "A", "runs": list(runs)}]}))


def test_waiting_runs_take_as_long_as_the_records_of_their_model_say(tmp_path: Path) -> None:
    plan = plan_of({"epochs": 4, "seed": [0, 1]}, {"epochs": 8}, {"model": "vgg16"})
    first = plan.runs[0]
    (tmp_path / first.id).mkdir()
    (tmp_path / first.id / RECORD).write_text(record(plan, 0).model_dump_json())
    ahead = outlook(plan, tmp_path)
    assert ahead.done == 1
    # 45,000 images at 9,000 a second, and 4 seconds of set-up and evaluation in the record's 4 epochs.
    assert list(ahead.expected_seconds.values()) == pytest.approx([4 * (5 + 1), 8 * (5 + 1)])
    assert [run.config.model for run in ahead.unknown] == ["vgg16"]
    words = in_words(plan, ahead)
    assert "1 of 4 runs are done" in words
    assert "2 more take about 72 s, one by one" in words
    assert "1 run has no record yet to tell from: vgg16" in words


def test_without_records_nothing_is_promised(tmp_path: Path) -> None:
    plan = plan_of({})
    assert in_words(plan, outlook(plan, tmp_path)).splitlines()[0] == "0 of 1 run is done"


def test_records_of_this_machine_and_of_the_same_configuration_tell_more() -> None:
    plan = plan_of({"epochs": 4, "seed": [0, 1, 2, 3]}, {"epochs": 4, "width": 2, "seed": [0, 1]})
    elsewhere = record(plan, 0)
    environment = elsewhere.environment.model_copy(update={"device_name": device_name_for("auto")})
    same = {"environment": environment, "seconds": elsewhere.seconds}
    here = record(plan, 1).model_copy(update={**same, "images_per_second": 4500})
    wide = record(plan, 4).model_copy(update={**same, "images_per_second": 900})

    def training_seconds(*known: Record) -> dict[str, float]:
        expected = expect(plan, {one.run: one for one in known}).expected_seconds
        return {run: seconds / 4 for run, seconds in expected.items()}

    last, last_wide = plan.runs[3].id, plan.runs[5].id
    # An epoch is 45,000 images at 9,000, 4,500 or 900 a second, and a second beside.
    assert training_seconds(elsewhere)[last] == pytest.approx(5 + 1)
    assert training_seconds(elsewhere, here)[last] == pytest.approx(10 + 1)
    assert training_seconds(elsewhere, here)[last_wide] == pytest.approx(10 + 1)
    assert training_seconds(elsewhere, here, wide)[last_wide] == pytest.approx(50 + 1)
