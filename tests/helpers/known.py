"""The published table as known results, of which a few runs are taken."""

from pathlib import Path

from cifarbench.config.benchmark import Known
from helpers.repository import REPOSITORY

PUBLISHED = REPOSITORY / "reports"
RUNS = 4


def of(*tables: Path, **options: str) -> list[Known]:
    return [Known(table=str(table), **options) for table in tables]
