"""Which runs were trained from something else than the newest ones: sources, model file, data set or torch.

Nothing is trained again for that alone, so that no comment costs GPU hours; but the figures of such a run
are not to be compared with those of the others without a second thought.
"""

from collections.abc import Iterable
from typing import Any

import pandas as pd

from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.record import Record

# What is compared with the newest run: its column, the runs that share it (None: all), and its name.
SHARED = (
    ("code.source_sha256", None, "training sources"),
    ("code.model_sha256", "config.model", "model file"),
    ("data.images_sha256", "data.name", "data set"),
    ("environment.versions.torch", None, "torch"),
)


def stale_runs(table: pd.DataFrame) -> dict[str, str]:
    """Return the stale runs of a table that `collect` made, each with the reason in words.

    The newest run is the one that finished last: of all, of those of the same model, or of those on the same
    data set.
    """
    if "finished" not in table:  # no run has a record yet
        return {}
    done = table.dropna(subset=["finished"]).sort_values("finished", kind="stable")
    reasons: dict[str, list[str]] = {}
    for column, shared_by, name in SHARED:
        groups = done[shared_by] if shared_by else pd.Series("", index=done.index)
        newest = done.groupby(groups)[column].transform("last")
        differs = done[column] != newest
        for run, found, last in zip(
            done["run"][differs], done[column][differs], newest[differs], strict=True
        ):
            reasons.setdefault(run, []).append(f"{name} {short(found)}, the newest run {short(last)}")
    return {run: "; ".join(reasons[run]) for run in table["run"] if run in reasons}


def short(value: str) -> str:
    """Cut a hash to what tells it from others; a version stays whole."""
    return value[:8] if len(value) == 64 else value


def origins(records: Iterable[Record]) -> pd.DataFrame:
    """Return the columns that `stale_runs` reads, where no table has been collected."""
    columns: Any = {
        "run": True,
        "finished": True,
        "config": {"model"},
        "data": {"name", "images_sha256"},
        "code": {"source_sha256", "model_sha256"},
        "environment": {"versions": {"torch"}},
    }
    return pd.json_normalize([record.model_dump(include=columns) for record in records])


def stale_now(records: Iterable[Record]) -> dict[str, str]:
    """Return the stale runs as `stale_runs` does, and those trained by other sources than are here now."""
    records, here = list(records), training_source_hash()
    now = {
        record.run: f"training sources {short(record.code.source_sha256)}, here now {short(here)}"
        for record in records
        if record.code.source_sha256 != here
    }
    return now | stale_runs(origins(records))
