"""Tables of results put together: what one machine, person or evening trained beside that of another."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cifarbench.analysis.columns import DONE
from cifarbench.analysis.table import read_table, write_table
from cifarbench.errors import UserError

# Two records of one run are the same training if these agree; its times may differ.
RESULT = ("final.test.top1", "final.test.loss", "data.images_sha256")
SHARE = 1e-6  # of an image, by which rounding may miss a whole number of them
TIES = 0.001  # of the images, which rounding may decide otherwise from the epoch's test to the last one

log = logging.getLogger(__name__)


def merge(paths: Sequence[Path], output: Path) -> pd.DataFrame:
    """Write and return one table of all runs, in the order in which the tables have them.

    A run with a record comes before one without; of two equal records the first stays. Raise UserError for
    two records of one run that differ, for data of one name that differ, and for figures that do not fit.
    """
    tables = [read_table(path).assign(source=str(path)) for path in paths]
    for table in tables:
        check_figures(table[table["status"].isin(DONE)])
    rows = pd.concat(tables, ignore_index=True)
    done = rows[rows["status"].isin(DONE)]
    check_data(done)
    check_repeated(done)
    ranked = rows.assign(empty=~rows["status"].isin(DONE), place=range(len(rows)))
    kept = ranked.sort_values(["empty", "place"]).drop_duplicates("run")
    order = {run: place for place, run in enumerate(rows["run"].unique())}
    merged = kept.sort_values("run", key=lambda runs: runs.map(order)).drop(
        columns=["source", "empty", "place"]
    )
    write_table(merged.reset_index(drop=True), output)
    log.info("%s: %d runs, %d with a record", output, len(merged), merged["status"].isin(DONE).sum())
    return merged


def check_figures(done: pd.DataFrame) -> None:
    """Refuse an accuracy that is no share of the images, or that the learning curve does not have."""
    for _, row in done.iterrows():
        right = row["final.test.top1"] * row["final.test.images"]
        if abs(right - round(right)) > SHARE:
            raise UserError(
                f"{row['source']}: run {row['run']}: accuracy {row['final.test.top1']!r} is no share of "
                f"{row['final.test.images']:.0f} images; the table was changed, collect it again"
            )
        curve = row["epochs"][int(row["final.epoch"]) - 1]["test_accuracy"]
        if abs(curve - row["final.test.top1"]) > TIES:
            raise UserError(
                f"{row['source']}: run {row['run']}: accuracy {row['final.test.top1']:.4f} at the end, but "
                f"{curve:.4f} in its curve; the table was changed, collect it again"
            )


def check_data(done: pd.DataFrame) -> None:
    """Refuse data of one name with other images."""
    for name, group in done.groupby("data.name"):
        different = group.drop_duplicates("data.images_sha256")
        if len(different) > 1:
            sources = " and ".join(different["source"].unique()[:2])
            raise UserError(
                f"{sources}: data set {name!r} has other images in each; merge results of the same ones, or "
                "name the data sets apart"
            )


def check_repeated(done: pd.DataFrame) -> None:
    """Refuse two records of one run with other figures."""
    for run, group in done[done["run"].duplicated(keep=False)].groupby("run", sort=False):
        different = group.drop_duplicates(list(RESULT))
        if len(different) > 1:
            told = " and ".join(
                f"{row['final.test.top1']:.4f} in {row['source']}" for _, row in different.head(2).iterrows()
            )
            raise UserError(f"run {run}: test accuracy {told}; leave out the table that is wrong")
