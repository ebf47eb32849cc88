"""Two tables of results: identical, equivalent, different or undecided, and what cannot be compared."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cifarbench.analysis.compare import compare, in_words
from cifarbench.cli.parser import main
from helpers.synthetic import synthetic

SEEDS = 5


@pytest.fixture
def table() -> pd.DataFrame:
    return with_noise(synthetic(configurations=2, seeds=SEEDS)[1], 0)


def with_noise(table: pd.DataFrame, draw: int, deviation: float = 0.004) -> pd.DataFrame:
    """Return the table with accuracies around 70 %, as of another training."""
    noise = np.random.default_rng(draw).normal(0.7, deviation, len(table))
    return table.assign(**{"final.test.top1": noise})


def changed(table: pd.DataFrame, column: str, change: object) -> pd.DataFrame:
    first = table["configuration"] == table["configuration"][0]
    values = table[column].where(~first, table[column].map(change) if callable(change) else change)
    return table.assign(**{column: values})


def outcomes(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    return [compared.outcome for compared in compare(before, after).compared]


def test_the_same_bits_are_identical(table: pd.DataFrame) -> None:
    comparison = compare(table, table)
    assert [c.outcome for c in comparison.compared] == ["identical"] * 2
    assert comparison.regressions == comparison.only_before == comparison.only_after == []
    words = in_words(comparison.compared[0])
    assert words == "accuracy 70.0 -> 70.0 %; 5 seeds; time x 1.00 [1.00, 1.00]"
    assert outcomes(table, changed(table, "final.test.loss", 2.5)) == ["equivalent", "identical"]


def test_a_difference_within_the_margin_is_none(table: pd.DataFrame) -> None:
    again = with_noise(table, 1)
    assert outcomes(table, again) == ["equivalent"] * 2
    assert [c.outcome for c in compare(table, again, margin=0.0001).compared] == ["undecided"] * 2


def test_accuracy_beyond_the_margin_differs_in_both_directions(table: pd.DataFrame) -> None:
    worse = changed(with_noise(table, 1), "final.test.top1", lambda value: value - 0.05)
    [regression] = compare(table, worse).regressions
    assert regression.outcome == "different"
    assert in_words(regression).endswith("WORSE in accuracy")
    assert compare(worse, table).regressions == []
    assert outcomes(worse, table) == ["different", "equivalent"]


def test_what_is_undecided_says_how_many_seeds_would_decide(table: pd.DataFrame) -> None:
    loose = [with_noise(table, draw, 0.03) for draw in (3, 4)]
    [first, _] = compare(*loose).compared
    assert first.outcome == "undecided"
    assert first.seeds_needed is not None
    assert first.seeds_needed > SEEDS
    few = table["config.seed"] < 2
    [first, _] = compare(table[few], with_noise(table, 1)[few]).compared
    assert (first.outcome, first.seeds_needed) == ("undecided", 3)
    assert "3 seeds would show them to be equivalent, if they are" in in_words(first)


def test_pairs_are_taken_only_where_bits_could_repeat(table: pd.DataFrame) -> None:
    table = with_noise(table, 5, 0.03)
    shifted = table.assign(**{"final.test.top1": table["final.test.top1"] - 0.004})
    [first, _] = compare(table, shifted, margin=0.003).compared
    assert first.outcome == "different"
    elsewhere = shifted.assign(**{"environment.device_name": "Another Processor"})
    [first, _] = compare(table, elsewhere, margin=0.003).compared
    assert first.outcome == "undecided"
    assert first.pair.accuracy is not None
    assert first.pair.accuracy.freedom > SEEDS - 1


def test_time_only_warns_and_only_from_three_seeds_on(table: pd.DataFrame) -> None:
    slower = changed(table, "seconds.train", lambda value: 1.5 * value)
    [first, _] = compare(table, slower).compared
    assert first.slower
    assert "time x 1.50" in in_words(first)
    assert in_words(first).endswith("warning: slower in every seed")
    assert compare(table, slower).regressions == []
    few = table["config.seed"] < 2
    assert not compare(table[few], slower[few]).compared[0].slower
    elsewhere = changed(slower, "environment.device_name", "Another Processor")
    assert compare(table, elsewhere).compared[0].pair.time_ratio is None
    assert "other hardware" in in_words(compare(table, elsewhere).compared[0])


def test_diverged_runs_count_with_their_accuracy_but_not_their_time(table: pd.DataFrame) -> None:
    diverged = table.copy()
    diverged.loc[0, ["status", "final.test.top1", "seconds.train"]] = ["diverged", 0.1, 0.01]
    [first, _] = compare(table, diverged).compared
    assert len(first.pair.after) == SEEDS
    assert min(first.pair.after) == 0.1
    assert first.pair.time_ratio == (1, 1, 1)


def test_what_differs_and_what_has_no_partner_is_listed(table: pd.DataFrame) -> None:
    other = changed(table, "code.source_sha256", "f" * 64)
    other = changed(other, "environment.versions.torch", "3.0")
    assert compare(table, other).compared[0].pair.differs == ["versions", "sources"]
    first = table["configuration"] == table["configuration"][0]
    comparison = compare(table[first], table[~first])
    assert comparison.compared == []
    assert comparison.only_before + comparison.only_after == table["configuration"].unique().tolist()
    missing = table.assign(status="missing")
    assert compare(table, missing).only_before == table["configuration"].unique().tolist()


def test_the_verb_fails_on_a_regression_if_asked(
    table: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    table.to_parquet(tmp_path / "a.parquet")
    worse = changed(with_noise(table, 1), "final.test.top1", lambda value: value - 0.05)
    worse.to_parquet(tmp_path / "b.parquet")
    a, b = str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")
    assert main(["compare", a, b]) == 0
    said = capsys.readouterr().out
    assert "configurations in both: 1 equivalent, 1 different; 1 worse in the second" in said
    assert said.startswith("DIFFERENT ")
    with pytest.raises(SystemExit) as stop:
        main(["compare", a, b, "--fail-on", "regression"])
    assert stop.value.code == 1
    assert main(["compare", b, a, "--fail-on", "regression"]) == 0
    assert main(["compare", a, b, "--fail-on", "regression", "--margin", "10"]) == 0
    assert "--margin: '-1' is not allowed" in fails("compare", a, b, "--margin", "-1")


def test_tables_with_nothing_in_common_are_no_success(
    tmp_path: Path, fails: Callable[..., str], table: pd.DataFrame
) -> None:
    """Such as after a sweep of which every run failed, or of other configurations."""
    first = table["configuration"] == table["configuration"][0]
    for n, rows in enumerate((table[first], table[~first], table.assign(status="missing"))):
        rows.to_parquet(tmp_path / f"{n}.parquet")
    for other in (1, 2):
        call = ("compare", tmp_path / "0.parquet", tmp_path / f"{other}.parquet", "--fail-on", "regression")
        assert "have no configuration in common that has a record" in fails(*call)
    assert "is a folder; give a file" in fails("compare", tmp_path / "0.parquet", tmp_path)
