"""Records, tables and plans of earlier versions. `version1/` holds some of the first published ones."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.table import read_table
from cifarbench.cli.parser import main
from cifarbench.config.ids import run_id
from cifarbench.plan.stored import read_plan
from cifarbench.records import older
from cifarbench.records.older import VERSION, Change, upgraded_plan, upgraded_record, upgraded_table
from cifarbench.records.record import Record, read_record

FIRST = Path(__file__).parent / "version1"
# What a later version may do: rename knobs, or move them, give one up, and write values anew.
LATER = Change(
    renamed={"config.learning_rate": "config.rate", "config.device": "environment.wanted"},
    removed=("config.rho", "config.none_such"),
    values={"config.memory_format": {"contiguous": "NCHW"}, "status": {"completed": "done"}},
)


def test_a_record_of_version_1_reads_as_it_was_written() -> None:
    written = json.loads((FIRST / "metrics.json").read_text())
    record = read_record(FIRST / "metrics.json")
    assert (record.schema_version, record.fingerprint, record.first_losses) == (VERSION, None, [])
    read = record.model_dump(mode="json")
    for part in ("run", "status", "epochs", "environment", "code"):
        assert read[part] == written[part]
    assert written["config"].pop("cuda_graph") is True  # the default of then
    assert read["config"]["cuda_graph"] == "auto"
    assert written["config"].pop("flip") is False  # which is text today
    assert read["config"]["flip"] == "false"
    for part in ("config", "data", "model", "final", "seconds"):  # which have gained a field or two
        assert {**read[part], **written[part]} == read[part]
    assert run_id(record.config) == written["run"]


def test_a_plan_of_version_1_keeps_its_ids() -> None:
    written = json.loads((FIRST / "plan.json").read_text())
    plan = read_plan(FIRST / "plan.json")
    assert sorted(run.id for run in plan.runs) == sorted(run["id"] for run in written["runs"])
    assert [run_id(run.config) for run in plan.runs] == [run.id for run in plan.runs]


def test_a_table_of_version_1_still_makes_a_report(tmp_path: Path) -> None:
    table = read_table(FIRST / "runs.parquet")
    assert set(table["schema_version"].dropna()) == {VERSION}
    assert table["schema_version"].isna().sum() == 1  # that run had no record
    pd.testing.assert_series_equal(
        table["final.test.top1"], pd.read_parquet(FIRST / "runs.parquet")["final.test.top1"]
    )
    for name in ("plan.json", "runs.parquet"):
        shutil.copy(FIRST / name, tmp_path)
    call = ["report", tmp_path / "plan.json", tmp_path / "runs.parquet", "--output", tmp_path / "report"]
    assert main([str(argument) for argument in call]) == 0
    assert (tmp_path / "report" / "index.html").exists()


def test_old_values_in_a_table_of_the_new_number_are_replaced() -> None:
    found = upgraded_table(pd.DataFrame({"schema_version": 2, "config.cuda_graph": [True, [0]]}), 2)
    assert found["config.cuda_graph"].tolist() == ["auto", [0]]


def test_records_tables_and_plans_change_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(older.CHANGES, 3, LATER)
    before = json.loads((FIRST / "metrics.json").read_text())
    after = upgraded_record(before)
    assert after["schema_version"] == 3
    assert after["config"]["rate"] == before["config"]["learning_rate"]
    assert after["environment"]["wanted"] == "auto"
    assert after["config"]["memory_format"] == before["config"]["memory_format"] == "channels_last"
    assert after["status"] == "done"
    assert not {"learning_rate", "device", "rho"} & after["config"].keys()

    table = upgraded_table(pd.json_normalize([before]), 1)
    pd.testing.assert_frame_equal(table, pd.json_normalize([after]), check_like=True, check_dtype=False)

    plan = json.loads((FIRST / "plan.json").read_text())
    configs = [run["config"] for run in upgraded_plan(plan)["runs"]]
    assert [config["rate"] for config in configs] == [run["config"]["learning_rate"] for run in plan["runs"]]
    assert {config["memory_format"] for config in configs} == {"NCHW"}
    assert upgraded_plan(plan)["schema_version"] == 3


@pytest.mark.parametrize("version", [0, 99, "2", None])
def test_a_version_that_is_not_known_stays_as_it_is(version: object) -> None:
    content = {"schema_version": version, "config": {"rho": 1}}
    assert upgraded_record(content) is content
    assert upgraded_plan({**content, "runs": [{}]}) == {**content, "runs": [{}]}


def test_todays_version_is_the_records() -> None:
    assert Record.model_fields["schema_version"].default == VERSION
