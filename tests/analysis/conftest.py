"""A plan, a few runs of its table as known results, and what lies here."""

from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.adopt import Here
from cifarbench.analysis.columns import DONE
from cifarbench.analysis.table import read_table, write_table
from cifarbench.plan.plan import Plan
from cifarbench.plan.stored import read_plan
from helpers.known import PUBLISHED, RUNS


@pytest.fixture(scope="module")
def plan() -> Plan:
    return read_plan(PUBLISHED / "plan.json")


@pytest.fixture(scope="module")
def published() -> pd.DataFrame:
    """Return some published runs of one model and of the same sources, with a fingerprint; two differ in the
    seed."""
    table = read_table(PUBLISHED / "runs.parquet")
    done = table[table["status"].isin(DONE) & table["fingerprint.rule"].notna()]
    of_sources = done.groupby(["code.source_sha256", "code.model_sha256"])
    some = (rows.head(RUNS) for _, rows in of_sources if len(rows) >= RUNS)
    return next(rows for rows in some if rows["configuration"].duplicated().any()).reset_index(drop=True)


@pytest.fixture
def known(tmp_path: Path, published: pd.DataFrame) -> Path:
    (tmp_path / "theirs").mkdir()
    path = tmp_path / "theirs" / "runs.parquet"
    write_table(published, path)
    return path


@pytest.fixture
def here(published: pd.DataFrame) -> Here:
    first = published.iloc[0]
    return Here(
        first["code.source_sha256"],
        {first["config.model"]: first["code.model_sha256"]},
        {first["data.name"]: first["data.images_sha256"]},
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "results" / "runs"
