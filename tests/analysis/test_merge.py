"""Tables put together: nothing lost, nothing trained twice counted twice, and nothing that does not fit."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.columns import DONE
from cifarbench.analysis.table import read_table, write_table
from cifarbench.cli.parser import main
from cifarbench.records.verified import read_verified, write_verified
from helpers.repository import REPOSITORY

PUBLISHED = REPOSITORY / "reports" / "runs.parquet"


@pytest.fixture
def halves(tmp_path: Path) -> list[Path]:
    """Return the published table in two parts: each lacks every second record of the other."""
    table = read_table(PUBLISHED)
    done = table[table["status"].isin(DONE)]
    parts = [tmp_path / "ours.parquet", tmp_path / "theirs.parquet"]
    for n, path in enumerate(parts):
        write_table(table.drop(done.index[n::2]), path)
    return parts


def test_two_halves_make_the_whole(halves: list[Path], tmp_path: Path) -> None:
    assert main(["merge", *map(str, halves), "--output", str(tmp_path / "all.parquet")]) == 0
    whole, merged = (read_table(path) for path in (PUBLISHED, tmp_path / "all.parquet"))
    done = whole[whole["status"].isin(DONE)].set_index("run")["final.test.top1"]
    again = merged[merged["status"].isin(DONE)].set_index("run")["final.test.top1"]
    assert len(done) > 2
    pd.testing.assert_series_equal(again.loc[done.index], done)
    assert set(merged["run"]) == set(whole["run"])
    assert merged["run"].is_unique
    assert set(merged) == set(whole)


def test_what_is_verified_goes_with_the_runs(halves: list[Path], tmp_path: Path) -> None:
    verified = read_verified(PUBLISHED.parent)
    for path in halves:
        write_verified(verified, path.parent)
    output = tmp_path / "merged" / "all.parquet"
    assert main(["merge", *map(str, halves), "--output", str(output)]) == 0
    before, after = (found.by_run() for found in (verified, read_verified(output.parent)))
    runs = set(read_table(output)["run"])
    assert {key: (v.outcome, v.date) for key, v in after.items()} == {
        key: (v.outcome, v.date) for key, v in before.items() if key[0] in runs
    }

    # What was found later stays.
    [first, *_] = verified.verifications
    later = first.model_copy(update={"date": "2099-01-01T00:00:00+00:00", "outcome": "differs"})
    write_verified(verified.with_new([later]), output.parent)
    assert main(["merge", str(output), *map(str, halves), "--output", str(output)]) == 0
    assert read_verified(output.parent).by_run()[first.runs[0], first.recorded] == later


def test_a_table_merged_with_itself_stays_and_may_be_written_over(halves: list[Path]) -> None:
    before = read_table(halves[0])
    assert main(["merge", str(halves[0]), str(halves[0]), "--output", str(halves[0])]) == 0
    pd.testing.assert_frame_equal(read_table(halves[0]), before)


def one_more_right(row: pd.Series) -> None:
    row["final.test.top1"] += 1 / row["final.test.images"]
    row["correct"] = None
    row["epochs"][int(row["final.epoch"]) - 1]["test_accuracy"] = row["final.test.top1"]


def half_an_image(row: pd.Series) -> None:
    row["final.test.top1"] += 0.5 / row["final.test.images"]


def not_in_the_curve(row: pd.Series) -> None:
    row["final.test.top1"] += 50 / row["final.test.images"]


def other_images(row: pd.Series) -> None:
    row["data.images_sha256"] = "0" * 64


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            one_more_right,
            r": test accuracy 0\.\d+ in \S+ and 0\.\d+ in \S+; leave out what is wrong",
        ),
        (half_an_image, "is no share of 10000 images; the table was changed"),
        (not_in_the_curve, "in its curve; the table was changed"),
        (other_images, "data set 'cifar10' has other images in each; merge results of the same ones"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(
    tmp_path: Path, fails: Callable[..., str], change: Callable[[pd.Series], None], line: str
) -> None:
    table = read_table(PUBLISHED)
    row = table[table["status"].isin(DONE)].iloc[3].copy(deep=True)
    row["epochs"] = [dict(epoch) for epoch in row["epochs"]]
    change(row)
    write_table(pd.DataFrame([row]), tmp_path / "theirs.parquet")
    output = tmp_path / "all.parquet"
    assert re.search(line, fails("merge", PUBLISHED, tmp_path / "theirs.parquet", "--output", output))
    assert not output.exists()
