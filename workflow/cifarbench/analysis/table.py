"""Gather the records of a plan into one tidy table: `cifarbench collect PLAN --output results/runs.parquet`.

One row per planned run, in the plan's order. Columns are the record's fields joined by dots
(`config.learning_rate`, `final.test.top1`); `epochs` holds the learning curve, `correct` a bit for each test
image, set where the run got it right, `calibration` how often each degree of confidence was right. A run
without a record keeps its row, with the status `missing`, its state as `cifarbench status` tells it, and the
last words of its log. One bad file costs one run: it is `missing`, too, with the state `broken`.
"""

import base64
import logging
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pandas as pd
from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from cifarbench.analysis.columns import check_columns, model_in
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError, explain
from cifarbench.files import atomic, read_model
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import ADOPTED, LOG, PREDICTIONS, RECORD
from cifarbench.records.older import VERSION, upgraded_table
from cifarbench.records.record import Evaluation, Kept, Record, read_record
from cifarbench.sweep.status import without_record
from cifarbench.words import count

MISSING, BROKEN = "missing", "broken"
LINES, LINE_LENGTH = 5, 300  # of a log that the table keeps
CALIBRATION_BINS = 15  # as in `evaluate`, which needs torch

log = logging.getLogger(__name__)


def collect(
    plan: Plan, runs_folder: Path, output: Path, over: Callable[[Iterable[Run]], Iterable[Run]] = iter
) -> pd.DataFrame:
    """Write and return the table. A run whose files are damaged or another run's counts as missing.

    `over` passes the runs on, and sees how far it is.
    """
    table = gathered(over(plan.runs), runs_folder)
    write_table(table, output)
    return table


def gathered(runs: Iterable[Run], runs_folder: Path) -> pd.DataFrame:
    return pd.json_normalize([collect_run(run, runs_folder / run.id / RECORD) for run in runs], sep=".")


def write_table(table: pd.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False)


def collect_run(run: Run, path: Path) -> dict[str, object]:
    if not path.exists():
        folder = path.parent
        return missing(run, without_record(folder).state, last_words(folder / LOG))
    try:
        record = read_record(path)
        if record.run != run.id:
            raise UserError(f"{path}: is the record of run {record.run!r}")
        predictions = of_predictions(path.with_name(PREDICTIONS), record.final.test)
        if record.adopted and predictions["correct"] is None:
            predictions = of_adopted(path.with_name(ADOPTED), record.final.test)
    except UserError as error:
        log.warning("%s; this run counts as missing: remove %s and train it again", error, path.parent)
        return missing(run, BROKEN, str(error))
    return {**record.model_dump(mode="json"), **predictions}


def missing(run: Run, state: str, words: str | None) -> dict[str, object]:
    return {
        "run": run.id,
        "configuration": run.configuration,
        "status": MISSING,
        "config": run.config.model_dump(mode="json"),
        "last_words": words,
        "state": state,
    }


def last_words(path: Path) -> str | None:
    """Return the end of a run's log; None if the run has not begun."""
    if not path.exists():
        return None
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line[:LINE_LENGTH] for line in lines[-LINES:])


def of_predictions(path: Path, test: Evaluation) -> dict[str, Any]:
    """Return which test images a run got right, eight to a byte, and for each bin of confidence the number
    of images, their mean confidence and the share that was right; none of it without the predictions.

    Raise UserError for predictions that are not those of the record.
    """
    return tested(path.read_bytes(), str(path), test) if path.exists() else {"correct": None}


def of_adopted(path: Path, test: Evaluation) -> dict[str, Any]:
    """Return the same of a run that was adopted from a table, which has no predictions."""
    if not path.exists():
        return {"correct": None}
    kept = read_model(Kept, path, "cifarbench adopt")
    if kept.correct is None:
        return {"correct": None}
    correct = base64.b64decode(kept.correct)
    if bits(correct) != round(test.top1 * test.images):
        raise UserError(f"{path}: {bits(correct)} are right, but {test.top1:.4f} by the record beside it")
    return {"correct": correct, "calibration": kept.calibration}


def bits(correct: bytes) -> int:
    return int.from_bytes(correct).bit_count()


def tested(content: bytes, path: str, test: Evaluation) -> dict[str, Any]:
    """Return the same of the content of the file at `path`."""
    try:
        saved = load(content)
        label, predicted, confidence = (saved[name] for name in ("label", "predicted", "probability"))
    except (SafetensorError, KeyError) as error:
        raise UserError(f"{path}: cannot be read as predictions: {error}") from None
    shapes = {part.shape for part in (label, predicted, confidence)}
    if shapes != {(test.images,)} or not np.isfinite(confidence).all():
        raise UserError(f"{path}: does not hold a class and its probability for {test.images} test images")
    right = label == predicted
    if abs(int(right.sum()) - test.top1 * test.images) > 0.5:
        raise UserError(f"{path}: {int(right.sum())} are right, but {test.top1:.4f} by the record beside it")
    return {"correct": np.packbits(right).tobytes(), "calibration": by_confidence(right, confidence)}


def by_confidence(right: np.ndarray, confidence: np.ndarray) -> dict[str, list[float]]:
    """Return for each bin of confidence its images, their mean confidence and the share that is right."""
    inner_edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.searchsorted(inner_edges, confidence)
    images, confidences, rights = (
        np.bincount(bins, weights, CALIBRATION_BINS) for weights in (None, confidence, right)
    )
    some = np.maximum(images, 1)
    return {
        "images": images.tolist(),
        "confidence": (confidences / some).tolist(),
        "accuracy": (rights / some).tolist(),
    }


def read_parquet(path: Path, maker: str) -> pd.DataFrame:
    """Read what `maker` wrote. Raise UserError if it is missing or no table."""
    try:
        return pd.read_parquet(BytesIO(path.read_bytes()))  # a path could be a folder of tables, too
    except (OSError, ValueError, NotImplementedError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UserError(f"{path}: cannot be read: {why}; make it with `{maker}`") from None


def read_table(path: str | Path) -> pd.DataFrame:
    """Read what `collect` wrote. Raise UserError if it is no such table, or of a later version."""
    path = Path(path)
    table = _todays(read_parquet(path, "cifarbench collect"), path)
    check_columns(table, path)
    return table


def _todays(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    if "schema_version" not in table or table["schema_version"].isna().all():  # no run has a record
        return table
    version = pd.to_numeric(table["schema_version"], errors="coerce").max()
    if not version <= VERSION:
        raise UserError(
            f"{path}: schema_version {version:g} is not known, only up to {VERSION}; collect it again"
        )
    return upgraded_table(table, int(version))


def read_results(plan: Plan, path: Path) -> pd.DataFrame:
    """Read the table of a plan: one row a run, in the plan's order. A run that was planned since counts as
    waiting. Raise UserError for a table that holds records of runs that the plan does not have."""
    table = read_table(path)
    planned = {run.id: run for run in plan.runs}
    known = table["run"].isin(list(planned))
    foreign = table[~known & (table["status"] != MISSING)]["run"].tolist()
    if foreign:
        raise UserError(
            f"{path}: holds {count(len(foreign), 'record')} of runs that the plan does not have, such as "
            f"{foreign[0]!r}; give the plan that they were made from, or collect again with this one"
        )
    new = [missing(run, "waiting", None) for name, run in planned.items() if name not in set(table["run"])]
    rows = pd.concat([table[known], pd.json_normalize(new, sep=".")]) if new else table[known]
    return rows.set_index("run", drop=False).loc[list(planned)].reset_index(drop=True)


def records_in(table: pd.DataFrame) -> list[Record]:
    """Return the records that a table was collected from."""
    names = [name for name in table if name.split(".")[0] in Record.model_fields]
    done = table[table["status"] != MISSING]
    return [_record(dict(zip(names, row, strict=True))) for row in done[names].itertuples(index=False)]


def _record(row: dict[str, Any]) -> Record:
    nested: dict[str, Any] = {}
    for name, value in row.items():
        *parents, last = name.split(".")
        place = nested
        for parent in parents:
            if not isinstance(place.get(parent), dict):  # a part that is None in some runs has a column, too
                place[parent] = {}
            place = place[parent]
        if not isinstance(place.get(last), dict):  # nor does it matter which of these columns comes first
            place[last] = value
    plain = without_gaps(Record, _plain(nested))
    versions = plain["environment"]["versions"]  # of which each run has its own
    plain["environment"]["versions"] = {name: version for name, version in versions.items() if version}
    try:
        return Record.model_validate(plain)
    except ValidationError as error:
        raise UserError(
            explain(error, f"run {row['run']}", TrainConfig.model_fields).splitlines()[0]
        ) from None


def without_gaps(kind: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Leave out what an older record in a table with newer ones lacks, so that its default holds."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        field = kind.model_fields.get(name)
        if value is None and (field is None or not field.is_required()):
            continue
        annotation = field.annotation if field else None
        part = model_in(annotation)
        of_each = model_in(*get_args(annotation)) if get_origin(annotation) is list else None
        if part and isinstance(value, dict):
            kept[name] = without_gaps(part, value)
        else:
            kept[name] = [without_gaps(of_each, one) for one in value] if of_each else value
    return kept


def _plain(value: Any) -> Any:
    """Undo what a table makes of a record: arrays, gaps that are not a number, parts that were None."""
    if isinstance(value, dict):
        parts = {name: _plain(part) for name, part in value.items()}
        return parts if any(part is not None for part in parts.values()) or not parts else None
    if isinstance(value, np.ndarray):
        return [_plain(part) for part in value.tolist()]
    return None if value is None or value is pd.NA or value != value else value
