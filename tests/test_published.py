"""The published report: what lies in reports/ is what the workflow draws from the records beside it."""

import shutil
from pathlib import Path

from conftest import REPOSITORY, snakemake

REPORTS = REPOSITORY / "reports"
NAMES = ("index.html", "plan.json", "runs.parquet")


def test_the_published_page_is_what_its_records_make(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    for name in NAMES[1:]:
        shutil.copy(REPORTS / name, tmp_path / "reports")
    result = snakemake(tmp_path, "published")
    assert result.returncode == 0, result.stdout
    for name in NAMES:
        assert (tmp_path / "reports" / name).read_bytes() == (REPORTS / name).read_bytes(), name
    assert not (tmp_path / "data").exists()
