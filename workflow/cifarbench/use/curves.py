"""The learning curve of a run as a table, for notebooks."""

from pathlib import Path

import pandas as pd

from cifarbench.use.runs import with_record


def curves(run: str, runs: str | Path = "results/runs") -> pd.DataFrame:
    """Return one row an epoch with the fields of `records.record.Epoch`; a run by its id or its folder."""
    epochs = with_record(Path(runs), run).record.epochs
    return pd.DataFrame([epoch.model_dump() for epoch in epochs])
