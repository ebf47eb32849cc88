"""Gather the records of a plan into one tidy table: `cifarbench collect PLAN --output results/runs.parquet`.

One row per planned run, in the plan's order. Columns are the record's fields joined by dots
(`config.learning_rate`, `final.test.top1`); `epochs` holds the learning curve, `correct` a bit for each test
image, set where the run got it right, `calibration` how often each degree of confidence was right. A run
without a record keeps its row, with the status `missing`, its state as `cifarbench status` tells it, and the
last words of its log.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

from cifarbench.errors import UserError
from cifarbench.files import atomic
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import LOG, PREDICTIONS, RECORD
from cifarbench.records.record import Record, read_record
from cifarbench.sweep.status import without_record

MISSING = "missing"
LINES, LINE_LENGTH = 5, 300  # of a log that the table keeps
CALIBRATION_BINS = 15  # as in `evaluate`, which needs torch


def collect(plan: Plan, runs_folder: Path, output: Path) -> pd.DataFrame:
    """Write and return the table. Raise UserError for a record that cannot be read or is another run's."""
    rows = [collect_run(run, runs_folder / run.id / RECORD) for run in plan.runs]
    table = pd.json_normalize(rows, sep=".")
    write_table(table, output)
    return table


def write_table(table: pd.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.to_parquet(temporary, index=False)


def collect_run(run: Run, path: Path) -> dict[str, object]:
    if not path.exists():
        return {
            "run": run.id,
            "configuration": run.configuration,
            "status": MISSING,
            "config": run.config.model_dump(mode="json"),
            "last_words": last_words(path.with_name(LOG)),
            "state": without_record(path.parent).state,
        }
    record = read_record(path)
    if record.run != run.id:
        raise UserError(f"{path}: is the record of run {record.run!r}; remove it and train {run.id!r}")
    return {**record.model_dump(mode="json"), **of_predictions(path.with_name(PREDICTIONS))}


def last_words(log: Path) -> str | None:
    """Return the end of a run's log; None if the run has not begun."""
    if not log.exists():
        return None
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line[:LINE_LENGTH] for line in lines[-LINES:])


def of_predictions(path: Path) -> dict[str, Any]:
    """Return which test images a run got right, eight to a byte, and for each bin of confidence the number
    of images, their mean confidence and the share that was right; none of it without the predictions."""
    if not path.exists():
        return {"correct": None}
    saved = load_file(path)
    right, confidence = saved["label"] == saved["predicted"], saved["probability"]
    inner_edges = np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = np.searchsorted(inner_edges, confidence)
    images, confidences, rights = (
        np.bincount(bins, weights, CALIBRATION_BINS) for weights in (None, confidence, right)
    )
    some = np.maximum(images, 1)
    return {
        "correct": np.packbits(right).tobytes(),
        "calibration": {
            "images": images.tolist(),
            "confidence": (confidences / some).tolist(),
            "accuracy": (rights / some).tolist(),
        },
    }


def read_table(path: Path, maker: str = "cifarbench collect") -> pd.DataFrame:
    """Read what `maker` wrote. Raise UserError if it is missing, no table, or of another version."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}; make it with `{maker}`") from None
    known = Record.model_fields["schema_version"].default
    versions = set(table["schema_version"].dropna()) if "schema_version" in table else set()
    if versions - {known}:
        raise UserError(
            f"{path}: schema_version {max(versions):g} is not known, only {known}; collect it again"
        )
    return table
