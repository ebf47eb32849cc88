"""Tables of results put together: what one machine, person or evening trained beside that of another."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cifarbench.analysis.columns import DONE
from cifarbench.analysis.table import bits, read_table, records_in, write_table
from cifarbench.errors import UserError
from cifarbench.records.fingerprint import TOLERANCE, first_difference
from cifarbench.records.record import Record, Repetition
from cifarbench.records.verified import read_verified, write_verified
from cifarbench.sweep.staleness import ORIGIN

# Two records of one run are the same training if these agree.
RESULT = ("final.test.top1", "final.test.loss", "data.images_sha256")
SHARE = 1e-6  # of an image, by which rounding may miss a whole number of them
TIES = 0.001  # of the images, or of a loss, which rounding may move from the epoch's test to the last one

log = logging.getLogger(__name__)


def merge(paths: Sequence[Path], output: Path) -> pd.DataFrame:
    """Write and return one table of all runs, in the order in which the tables have them, and beside it what
    is verified of them.

    A run with a record comes before one without; of two records the first stays, and tells of the other if
    that is another training. Raise UserError for two that should be the same and differ, for data of one
    name that differ, and for figures that do not fit.
    """
    tables = [read_table(path).assign(source=str(path)) for path in paths]
    for table in tables:
        check_figures(table[table["status"].isin(DONE)])
        check_fingerprints(table[table["status"].isin(DONE)])
    rows = pd.concat(tables, ignore_index=True)
    done = rows[rows["status"].isin(DONE)]
    check_data(done)
    rows = with_repeated(rows, repetitions(done))
    ranked = rows.assign(empty=~rows["status"].isin(DONE), place=range(len(rows)))
    kept = ranked.sort_values(["empty", "place"]).drop_duplicates("run")
    order = {run: place for place, run in enumerate(rows["run"].unique())}
    keep_verified(kept, output.parent)
    merged = kept.sort_values("run", key=lambda runs: runs.map(order)).drop(
        columns=["source", "empty", "place"]
    )
    write_table(merged.reset_index(drop=True), output)
    log.info("%s: %d runs, %d with a record", output, len(merged), merged["status"].isin(DONE).sum())
    return merged


def check_figures(done: pd.DataFrame) -> None:
    """Refuse records whose figures do not fit together."""
    for row in done.to_dict("records"):
        if fault := misfit(row):
            raise UserError(
                f"{row['source']}: run {row['run']}: {fault}; the table was changed, collect it again"
            )


def misfit(row: Mapping[str, Any]) -> str:
    """Say where a record's accuracy is no share of the images, or accuracy and loss are not those of its
    learning curve, or of the bits of the images."""
    accuracy, images, kept = row["final.test.top1"], row["final.test.images"], int(row["final.epoch"])
    if not (0 <= accuracy <= 1 and images > 0) or abs(accuracy * images - round(accuracy * images)) > SHARE:
        return f"accuracy {accuracy!r} is no share of {images:.0f} images"
    if not 1 <= kept <= len(row["epochs"]):
        return f"keeps epoch {kept} of {len(row['epochs'])}"
    epoch, right = row["epochs"][kept - 1], round(accuracy * images)
    if abs(epoch["test_accuracy"] - accuracy) > TIES:
        return f"accuracy {accuracy:.4f} at the end, but {epoch['test_accuracy']:.4f} in its curve"
    loss, before = (np.nan if x is None else x for x in (row["final.test.loss"], epoch["test_loss"]))
    if not np.isclose(loss, before, rtol=TIES, atol=TIES, equal_nan=True):
        return f"test loss {loss:.4f} at the end, but {before:.4f} in its curve"
    correct = row.get("correct")
    if isinstance(correct, bytes) and bits(correct) != right:
        return f"{right} images are right by its accuracy, but {bits(correct)} by what it keeps of each"
    return ""


def check_fingerprints(done: pd.DataFrame) -> None:
    """Refuse runs of one configuration, from the same sources, that have other fingerprints."""
    if "fingerprint.rule" not in done:  # as in older records
        return
    told = done.dropna(subset=["fingerprint.rule"])
    for configuration, group in told.groupby(["configuration", "fingerprint.rule", *ORIGIN]):
        for name in ("losses", "update_norms", "final_loss"):
            values = np.vstack([np.asarray(value, float) for value in group[f"fingerprint.{name}"]])
            if not np.allclose(values, values[0], rtol=TOLERANCE, atol=0, equal_nan=True):
                told_of = f"{group['source'].iloc[0]}: {configuration[0]}"
                raise UserError(
                    f"{told_of}: runs of the same sources differ in their fingerprints, in the "
                    f"{name.replace('_', ' ')}; the table was changed, collect it again"
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


def repetitions(done: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return by run what else was trained of it than its first record: elsewhere, or at another time.

    Raise UserError for two records of a run that should be the same and are not.
    """
    found = {}
    rows = done[done["run"].duplicated(keep=False)].drop_duplicates(["run", *RESULT, "finished"])
    rows = rows.assign(record=records_in(rows))
    for run, group in rows.groupby("run", sort=False):
        sources, (first, *others) = group["source"].tolist(), group["record"]
        for source, other in zip(sources[1:], others, strict=True):
            if not may_differ(first, other):
                one, two = (f"{record.final.test.top1:.4f} in" for record in (first, other))
                raise UserError(
                    f"run {run}: test accuracy {one} {sources[0]} and {two} {source}; leave out what is wrong"
                )
        told = [
            one
            for source, record in zip(sources, [first, *others], strict=True)
            for one in ([] if record is first else [repetition(record, source)]) + record.repeated
        ]
        distinct = {one.finished: one for one in reversed(told) if one.finished != first.finished}
        if distinct:
            found[str(run)] = [one.model_dump() for one in reversed(distinct.values())]
    return found


def keep_verified(rows: pd.DataFrame, folder: Path) -> None:
    """Add to what is verified in a folder what is later so of these runs beside the table they come from."""
    verified = read_verified(folder)
    for source, of_source in rows.groupby("source", sort=False):
        known, runs = verified.by_run(), set(of_source["run"])
        for v in read_verified(Path(str(source)).parent).verifications:
            before = {run: known.get((run, v.recorded)) for run in v.runs if run in runs}
            newer = [run for run, old in before.items() if old is None or old.date < v.date]
            verified = verified.with_new([v.model_copy(update={"runs": newer})] if newer else [])
    write_verified(verified, folder)


def may_differ(first: Record, other: Record) -> bool:
    """Tell whether these are two trainings of one run, with the same figures or, by fingerprints that agree,
    differing by the rounding of their machines."""
    if first.data.images_sha256 != other.data.images_sha256 or first.finished == other.finished:
        return False
    if (first.final.test.top1, first.final.test.loss) == (other.final.test.top1, other.final.test.loss):
        return True
    both = first.fingerprint, other.fingerprint
    if both[0] is None or both[1] is None or both[0].rule != both[1].rule:
        return False
    return first_difference(both[0], both[1]) is None


def repetition(record: Record, source: str) -> Repetition:
    return Repetition(
        source=source,
        test_accuracy=record.final.test.top1,
        test_loss=record.final.test.loss,
        device_name=record.environment.device_name,
        finished=record.finished,
    )


def with_repeated(rows: pd.DataFrame, found: Mapping[str, list[dict[str, Any]]]) -> pd.DataFrame:
    """Return the rows with what is found of each run, in place of what it told before."""
    if not found:
        return rows
    before = rows["repeated"] if "repeated" in rows else [None] * len(rows)
    told = [found.get(run) or own for run, own in zip(rows["run"], before, strict=True)]
    return rows.assign(repeated=told)
