"""Seeds where they are needed, by the real Snakemake: only what is undecided gets more."""

from pathlib import Path

import pandas as pd
import pytest

from cifarbench.plan.stored import read_plan
from helpers.repository import run, trained, write_config


@pytest.mark.usefixtures("ready")
def test_only_undecided_questions_get_more_seeds(tmp_path: Path) -> None:
    entry = {"model": "lenet5", "learning_rate": [1e-8, 0.003, 0.004]}
    schedule = {"from": 3, "to": 4, "until": "decided"}
    config = write_config(tmp_path, {**entry, "epochs": 2, "seed": schedule}, pack=9)
    asked = run(tmp_path, "--configfile", config, "--dry-run")
    assert len(trained(asked)) == 9
    assert "The run involves checkpoint jobs" in asked

    output = run(tmp_path, "--configfile", config)
    assert len(trained(output)) == 11
    assert output.count("checkpoint look:") == 1
    plan = read_plan(tmp_path / "reports/plan.json")
    hopeless, *close = plan.studies[0].labels
    assert [look.open for look in plan.looks] == [{"study": sorted(close)}]
    table = pd.read_parquet(tmp_path / "reports/runs.parquet")
    assert table.groupby("configuration").size().to_dict() == {hopeless: 3, close[0]: 4, close[1]: 4}
    page = (tmp_path / "reports/index.html").read_text()
    assert "at looks of 3 and 4 that share the level: 11 of 12 runs. Taken again from the records" in page
    assert "Nothing to be done" in run(tmp_path, "--configfile", config)
