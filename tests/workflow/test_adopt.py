"""Runs adopted by the real Snakemake: all of them, some, one of them forced, and not any more."""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from cifarbench.cli.parser import main
from helpers.repository import TABLE, run, snakemake, trained, write_config

RUNS: dict[str, object] = {"seed": [0, 1, 2]}
NOTHING = "Nothing to be done"


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, digits: Path) -> Path:
    """Return the folder of a workflow that has trained three runs."""
    folder = tmp_path_factory.mktemp("theirs")
    shutil.copytree(digits, folder / "data/digits")
    run(folder, TABLE, "--configfile", write_config(folder, RUNS, pack=3))
    return folder


def known(folder: Path, theirs: Path, *runs: dict[str, object], **config: object) -> list[str]:
    """Return the target and the config of a workflow that takes what another one has trained."""
    return [TABLE, "--configfile", write_config(folder, *runs, known=str(theirs / TABLE), **config)]


def record_of(folder: Path, name: str) -> dict[str, object]:
    return dict(json.loads((folder / f"results/runs/{name}/metrics.json").read_text()))


def test_what_is_known_is_taken_and_only_the_rest_is_trained(ready: Path, theirs: Path) -> None:
    more = {**RUNS, "seed": [0, 1, 2, 3, 4]}
    call = known(ready, theirs, more, pack=2)
    output = run(ready, *call)
    assert f"3 runs are taken from {theirs / TABLE}" in output
    assert [name[-3:] for name in trained(output)] == ["-s3", "-s4"]
    for rule in ("adopt", "pack"):
        assert re.search(rf"^{rule} +1$", output, re.MULTILINE)

    before, after = (pd.read_parquet(folder / TABLE).set_index("run") for folder in (theirs, ready))
    assert after["status"].tolist() == ["completed"] * 5
    for column in ("final.test.top1", "correct", "finished"):
        assert after.loc[before.index, column].tolist() == before[column].tolist()
    assert after["adopted.source"].notna().tolist() == [True] * 3 + [False] * 2

    # One that is forced is trained here, and stays so.
    first, second, _ = before.index
    forced = ["--forcerun", f"results/runs/{first}/metrics.json"]
    assert trained(run(ready, *call, *forced)) == [first]
    assert "adopted" not in record_of(ready, first) and "adopted" in record_of(ready, second)
    assert NOTHING in run(ready, *call)
    # So it goes for all of them, and for those that are no longer known.
    assert trained(run(ready, *call, "--dry-run", "--forcerun", "train")) == sorted(after.index)
    left_out = ["--configfile", write_config(ready, more)]
    assert trained(run(ready, TABLE, *left_out, "--dry-run")) == sorted(before.index[1:])


def test_what_was_adopted_by_hand_stays(ready: Path, theirs: Path) -> None:
    config = write_config(ready, {**RUNS, "seed": [0, 1, 2, 3]})
    plan = ready / "results/plan.json"
    assert main(["plan", config, "--output", str(plan)]) == 0
    folders = ["--runs", str(ready / "results/runs"), "--data", str(ready / "data")]
    assert main(["adopt", str(theirs / "results/runs"), "--plan", str(plan), *folders]) == 0
    [new] = trained(run(ready, TABLE, "--configfile", config, "--dry-run"))
    assert new.endswith("-s3")


def test_other_images_stop_the_first_call_and_the_next_one_trains(tmp_path: Path, theirs: Path) -> None:
    """That they are others is known only when the data set is normalised, after the jobs are chosen."""
    table = pd.read_parquet(theirs / TABLE)
    table["data.images_sha256"] = "0" * 64
    table.to_parquet(tmp_path / "other.parquet")
    config = write_config(tmp_path, RUNS, known="other.parquet")
    result = snakemake(tmp_path, TABLE, "--configfile", config)
    assert result.returncode == 1
    assert "3 runs of" in result.stdout and "images are not those in data/digits" in result.stdout
    assert not list(tmp_path.glob("results/runs/*/metrics.json"))
    again = run(tmp_path, TABLE, "--configfile", config, "--dry-run")
    assert len(trained(again)) == 3
