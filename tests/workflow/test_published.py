"""The published report: what lies in reports/ is what the workflow draws from the records beside it."""

import shutil
from pathlib import Path

from helpers.repository import REPOSITORY, snakemake

REPORTS = REPOSITORY / "reports"
SOURCES = ("plan.json", "runs.parquet", "verified.json")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_published_page_is_what_its_records_make(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for name in SOURCES:
        shutil.copy(REPORTS / name, tmp_path / "reports")
    result = snakemake(tmp_path, "published")
    assert result.returncode == 0, result.stdout
    made, published = contents(tmp_path / "reports"), contents(REPORTS)
    assert made.keys() == published.keys()
    assert [name for name in made if made[name] != published[name]] == []
    assert not (tmp_path / "data").exists()
