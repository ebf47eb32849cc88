import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import cifarbench
from cifarbench.errors import UserError
from cifarbench.records.folder import METRICS
from cifarbench.records.record import Epoch, read_record


def test_curves_have_a_row_for_each_epoch_and_a_column_for_each_figure(runs: Path) -> None:
    table = cifarbench.curves("lenet5", runs)
    assert list(table.columns) == list(Epoch.model_fields)
    assert table.to_dict("records") == [e.model_dump() for e in read_record(runs / "lenet5" / METRICS).epochs]
    assert cifarbench.curves(str(runs / "lenet5")).equals(table)
    with pytest.raises(UserError, match="did you mean 'lenet5'"):
        cifarbench.curves("lenet", runs)


def test_results_are_the_table_that_collect_wrote() -> None:
    published = Path(__file__).parents[2] / "reports" / "runs.parquet"
    assert cifarbench.load_results(str(published)).equals(pd.read_parquet(published))


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, cifarbench; assert not {'torch', 'pandas', 'numpy'} & set(sys.modules);"
        "assert callable(cifarbench.curves) and 'torch' not in sys.modules;"
        "assert not hasattr(cifarbench, 'curve')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
