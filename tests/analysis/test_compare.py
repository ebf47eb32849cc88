"""Two tables of results: what became better, worse or cannot be compared."""

from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.compare import compare, in_words
from cifarbench.cli.parser import main
from helpers.synthetic import synthetic


@pytest.fixture
def table() -> pd.DataFrame:
    return synthetic(configurations=2)[1]


def changed(table: pd.DataFrame, column: str, change: object) -> pd.DataFrame:
    first = table["configuration"] == table["configuration"][0]
    values = table[column].where(~first, table[column].map(change) if callable(change) else change)
    return table.assign(**{column: values})


def test_the_same_table_is_the_same(table: pd.DataFrame) -> None:
    comparison = compare(table, table)
    assert len(comparison.pairs) == 2
    assert comparison.regressions == comparison.only_before == comparison.only_after == []
    assert "the same in every seed, 3 seeds; time x 1.00 [1.00, 1.00]" in in_words(comparison.pairs[0])


def test_accuracy_is_worse_where_its_interval_is_below_zero(table: pd.DataFrame) -> None:
    worse = changed(table, "final.test.top1", lambda value: value - 0.05)
    [pair] = compare(table, worse).regressions
    assert pair.regression == "accuracy"
    assert pair.accuracy is not None
    assert pair.accuracy.mean == pytest.approx(-0.05)
    assert compare(worse, table).regressions == []
    once = table.copy()
    once.loc[0, "final.test.top1"] -= 0.05
    assert compare(table, once).regressions == []


def test_time_is_worse_where_every_seed_is_slower_on_the_same_hardware(table: pd.DataFrame) -> None:
    slower = changed(table, "seconds.train", lambda value: 1.5 * value)
    [pair] = compare(table, slower).regressions
    assert pair.regression == "time"
    assert "time x 1.50" in in_words(pair)
    elsewhere = changed(slower, "environment.device_name", "Another Processor")
    assert compare(table, elsewhere).regressions == []
    assert "other hardware" in in_words(compare(table, elsewhere).pairs[0])


def test_what_differs_and_what_has_no_partner_is_listed(table: pd.DataFrame) -> None:
    other = changed(table, "code.source_sha256", "f" * 64)
    other = changed(other, "environment.versions.torch", "3.0")
    assert compare(table, other).pairs[0].differs == ["versions", "sources"]
    first = table["configuration"] == table["configuration"][0]
    comparison = compare(table[first], table[~first])
    assert comparison.pairs == []
    assert comparison.only_before + comparison.only_after == table["configuration"].unique().tolist()
    missing = table.assign(status="missing")
    assert compare(table, missing).only_before == table["configuration"].unique().tolist()


def test_the_verb_fails_on_a_regression_if_asked(
    table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table.to_parquet(tmp_path / "a.parquet")
    changed(table, "final.test.top1", lambda value: value - 0.05).to_parquet(tmp_path / "b.parquet")
    a, b = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    assert main(["compare", a, b]) == 0
    assert "2 configurations in both, 1 of them worse in the second" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["compare", a, b, "--fail-on", "regression"])
    assert stop.value.code == 1
    assert main(["compare", b, a, "--fail-on", "regression"]) == 0
