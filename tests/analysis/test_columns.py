"""A table that lacks a column, or has in one what no record has, is one line."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cifarbench.analysis.columns import EVER, _fields, check_columns
from cifarbench.analysis.configuration import configuration
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.records.record import Record
from helpers.synthetic import synthetic

TABLE = synthetic(configurations=2, seeds=2, classes=["a", "b"], status={0: "missing", 3: "diverged"})[1]


@pytest.mark.parametrize("column", [*EVER, *(name for name, _ in _fields(Record))])
def test_each_column_of_a_record_must_be_there(column: str) -> None:
    with pytest.raises(
        UserError, match=rf"^t.parquet: (lacks the column '{column}'|is no table .* {column})"
    ):
        check_columns(TABLE.drop(columns=column), Path("t.parquet"))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("final.test.top1", "high"),
        ("finished", None),
        ("status", "done"),
        ("resumptions", 0.5),
        ("epochs", [{"epoch": 1}]),
        ("epochs", 3),
        ("data.classes", "ab"),
        ("code.source_sha256", 7),
        ("run", None),
    ],
)
def test_a_value_that_no_record_has_is_named(column: str, value: Any) -> None:
    changed = TABLE[column].astype(object)
    changed.iat[1] = value
    with pytest.raises(UserError, match=rf"^t.parquet: column '{column}': .* is not allowed") as caught:
        check_columns(TABLE.assign(**{column: changed}), Path("t.parquet"))
    assert "\n" not in str(caught.value)


def test_a_sound_table_and_one_without_a_record_pass() -> None:
    check_columns(TABLE, Path("t.parquet"))
    check_columns(TABLE.iloc[:1][["run", "configuration", "status"]], Path("t.parquet"))
    with pytest.raises(UserError, match="is no table of results: it lacks configuration, run, status"):
        check_columns(pd.DataFrame({"a": [1]}), Path("t.parquet"))


def test_a_knob_that_an_older_table_lacks_has_its_default() -> None:
    found = configuration("k", "k", TABLE[2:].drop(columns="config.dropout"))
    assert found.first("config.dropout") is TrainConfig().dropout
    assert found.first("config.learning_rate") == TABLE["config.learning_rate"].iloc[2]
