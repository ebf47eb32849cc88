import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

import cifarbench
from cifarbench.errors import UserError
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Epoch, read_record
from helpers.repository import REPOSITORY


def test_curves_have_a_row_for_each_epoch_and_a_column_for_each_figure(runs: Path) -> None:
    table = cifarbench.curves("lenet5", runs)
    assert list(table.columns) == list(Epoch.model_fields)
    assert table.to_dict("records") == [e.model_dump() for e in read_record(runs / "lenet5" / RECORD).epochs]
    assert cifarbench.curves(str(runs / "lenet5")).equals(table)
    with pytest.raises(UserError, match="did you mean 'lenet5'"):
        cifarbench.curves("lenet", runs)


def test_results_are_the_table_that_collect_wrote() -> None:
    published = REPOSITORY / "reports" / "runs.parquet"
    assert cifarbench.load_results(str(published)).equals(pd.read_parquet(published))


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, cifarbench; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules);"
        "assert callable(cifarbench.curves) and 'torch' not in sys.modules;"
        "assert not hasattr(cifarbench, 'curve')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_columns_that_the_documentation_explains_are_there() -> None:
    text = (REPOSITORY / "docs" / "use.md").read_text()
    explained = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(explained) > 10
    assert set(explained) <= set(pd.read_parquet(REPOSITORY / "reports" / "runs.parquet").columns)


def test_the_example_notebook_runs(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results, here = tmp_path / "demo" / "results", tmp_path / "examples" / "notebook"
    here.mkdir(parents=True)
    records = [read_record(path) for path in sorted(runs.glob(f"*/{RECORD}"))]
    for record in records:
        shutil.copytree(runs / record.config.model, results / "runs" / record.run)
    table = pd.json_normalize([record.model_dump(mode="json") for record in records])
    table.to_parquet(results / "runs.parquet")
    notebook = nbformat.read(REPOSITORY / "examples" / "notebook" / "results.ipynb", as_version=4)
    nbformat.validate(notebook)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    monkeypatch.chdir(here)
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, object] = {}
    for source in cells:
        exec(source, names)
    assert isinstance(names["best"], str) and names["best"] in {record.run for record in records}
    last_line = cells[-1].splitlines()[-1]
    assert eval(last_line, names).sum() == pytest.approx(1)
