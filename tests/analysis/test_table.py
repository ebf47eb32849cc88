"""The table of a plan: one row per planned run, and a bad file costs its own run alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save, save_file

from cifarbench.analysis.table import (
    collect,
    of_predictions,
    read_results,
    read_table,
    records_in,
    write_table,
)
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.config.flags import flags
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from cifarbench.records.record import Evaluation
from helpers.repository import SMALL
from helpers.synthetic import synthetic


@pytest.fixture
def half_done(digits: Path, tmp_path: Path) -> Plan:
    """A plan of two runs, of which the first is trained."""
    study = {"name": "s", "title": "S", "runs": [{**SMALL, "seed": [0, 1]}]}
    plan = make_plan(parse({"studies": [study]}))
    first = plan.runs[0]
    call = [
        "train",
        "--data",
        str(digits),
        "--output",
        str(tmp_path / "runs" / first.id),
        *flags(first.config),
    ]
    assert main(call) == 0
    return plan


def test_a_missing_run_keeps_its_row(half_done: Plan, tmp_path: Path) -> None:
    collect(half_done, tmp_path / "runs", tmp_path / "runs.parquet")
    table = read_table(tmp_path / "runs.parquet")
    assert table["run"].tolist() == [run.id for run in half_done.runs]
    assert table["status"].tolist() == ["completed", "missing"]
    assert table["config.seed"].tolist() == [0, 1]
    assert table["final.test.top1"].notna().tolist() == [True, False]
    assert table["last_words"].isna().tolist() == [True, True]
    assert table["state"][1] == "waiting"
    assert len(table["epochs"][0]) == 1
    assert table["epochs"][0][0]["epoch"] == 1


def test_a_run_that_failed_or_was_interrupted_says_so(half_done: Plan, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / half_done.runs[1].id
    folder.mkdir()
    (folder / "train.log").write_bytes("\n".join(["early", *"12345", "\xe9" * 999]).encode("latin-1"))
    (folder / "checkpoint.pt").touch()
    table = collect(half_done, tmp_path / "runs", tmp_path / "runs.parquet")
    lines = table["last_words"][1].splitlines()
    assert lines[:4] == list("2345")
    assert len(lines[4]) == 300
    assert table["state"][1] == "interrupted"
    (folder / "checkpoint.pt").unlink()
    assert collect(half_done, tmp_path / "runs", tmp_path / "runs.parquet")["state"][1] == "failed"


def test_the_table_has_the_same_bytes_again(half_done: Plan, tmp_path: Path) -> None:
    for name in "ab":
        collect(half_done, tmp_path / "runs", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def broken(plan: Plan, folder: Path, caplog: pytest.LogCaptureFixture) -> str:
    """Return what is said of the first run, the only one that is broken."""
    caplog.clear()
    table = collect(plan, folder, folder / "runs.parquet")
    assert table["status"].tolist() == ["missing", "missing"]
    assert table["state"].tolist() == ["broken", "waiting"]
    assert f"counts as missing: remove {folder / plan.runs[0].id} and train it again" in caplog.text
    return str(table["last_words"][0])


def test_one_bad_file_costs_one_run(
    half_done: Plan, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = tmp_path / "runs"
    record, predictions = (
        runs / half_done.runs[0].id / name for name in ("metrics.json", "predictions.safetensors")
    )
    good = predictions.read_bytes()
    saved = load_file(predictions)
    shorter = {name: part[1:] for name, part in saved.items()}
    wrong = {**saved, "predicted": saved["label"]}
    not_finite = {**saved, "probability": saved["probability"] * np.nan}
    for content, says in (
        (good[:-9], "cannot be read"),
        (b"", "cannot be read"),
        (bytes(len(good)), "cannot be read"),
        (save({"label": saved["label"]}), "'predicted'"),
        (save(shorter), "does not hold a class and its probability for 360 test images"),
        (save(not_finite), "does not hold a class and its probability"),
        (save(wrong), "360 are right, but"),
    ):
        predictions.write_bytes(content)
        assert says in broken(half_done, runs, caplog)
    predictions.write_bytes(good)
    assert collect(half_done, runs, tmp_path / "t")["status"][0] == "completed"

    content = record.read_text()
    for bad, says in (
        (content[:1000], f"{record}: "),
        (content.replace(half_done.runs[0].id, "another-run"), "is the record of run 'another-run'"),
        (content.replace('"schema_version": 2', '"schema_version": 9'), ".schema_version: 9 is not allowed"),
        (content.replace('"completed"', '"fine"'), f"{record}.status: 'fine' is not allowed"),
    ):
        record.write_text(bad)
        assert says in broken(half_done, runs, caplog)


def test_a_table_or_plan_that_is_none_is_named(
    half_done: Plan, tmp_path: Path, fails: Callable[..., str]
) -> None:
    plan, table = tmp_path / "plan.json", tmp_path / "x.parquet"
    write_plan(half_done, plan)
    table.write_text("no table")
    out = ["--output", tmp_path / "report"]
    assert "x.parquet: cannot be read" in fails("report", plan, table, *out)
    assert "none.json: cannot be read" in fails("report", tmp_path / "none.json", table, *out)
    with pytest.raises(UserError, match="make it with `cifarbench collect`"):
        read_table(tmp_path / "none.parquet")


def test_a_table_of_another_version_is_refused(tmp_path: Path) -> None:
    _, table = synthetic(configurations=1, seeds=1)
    table.assign(schema_version=9).to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(UserError, match="schema_version 9 is not known, only up to 2"):
        read_table(tmp_path / "runs.parquet")


def test_a_bit_says_which_test_images_were_right(tmp_path: Path) -> None:
    label, predicted = np.arange(10, dtype=np.int16), np.array([0, 1, 2, 9, 4, 5, 6, 7, 8, 0], np.int16)
    probability = np.linspace(0.1, 1, 10, dtype=np.float32)
    path = tmp_path / "predictions.safetensors"
    save_file({"label": label, "predicted": predicted, "probability": probability}, path)
    test = Evaluation(
        **{"images": 10, "loss": 1, "top1": 0.8, "top5": 1, "per_class_accuracy": []},
        **{"confusion": [], "calibration_error": None},
    )
    right = np.unpackbits(np.frombuffer(of_predictions(path, test)["correct"], np.uint8))
    assert right[:10].tolist() == [1, 1, 1, 0, 1, 1, 1, 1, 1, 0]
    assert of_predictions(tmp_path / "none", test) == {"correct": None}


def test_the_bins_of_confidence_give_the_calibration_error_of_the_record(
    half_done: Plan, tmp_path: Path
) -> None:
    row = collect(half_done, tmp_path / "runs", tmp_path / "runs.parquet").iloc[0]
    images = np.array(row["calibration.images"])
    gap = np.abs(np.subtract(row["calibration.confidence"], row["calibration.accuracy"]))
    assert images.sum() == row["final.test.images"]
    error = (gap * images).sum() / images.sum()
    assert error == pytest.approx(row["final.test.calibration_error"], abs=1e-6)
    bits = np.frombuffer(row["correct"], np.uint8)
    assert np.unpackbits(bits).sum() == pytest.approx(row["final.test.top1"] * images.sum())


def test_a_table_of_another_plan_is_refused_in_one_line(tmp_path: Path, fails: Callable[..., str]) -> None:
    plan, _ = synthetic(configurations=2)
    _, other = synthetic(configurations=3)
    table = tmp_path / "other.parquet"
    other.to_parquet(table)
    write_plan(plan, tmp_path / "plan.json")
    line = "holds 3 records of runs that the plan does not have, such as "
    assert line in fails("claims", tmp_path / "plan.json", table)
    assert line in fails("report", tmp_path / "plan.json", table, "--output", tmp_path / "reports")
    assert not (tmp_path / "reports").exists()
    other[["run", "status"]].to_parquet(table)
    assert "is no table of results: it lacks configuration" in fails("claims", tmp_path / "plan.json", table)


def test_runs_that_were_planned_since_are_waiting(tmp_path: Path) -> None:
    plan, full = synthetic(configurations=3)
    full.drop(index=[1, 7]).sample(frac=1, random_state=0).to_parquet(tmp_path / "old.parquet")
    table = read_results(plan, tmp_path / "old.parquet")
    assert table["run"].tolist() == [run.id for run in plan.runs]
    assert table.loc[[1, 7], "status"].tolist() == ["missing"] * 2
    assert table.loc[1, "state"] == "waiting"
    assert table.loc[0, "final.test.top1"] == full.loc[0, "final.test.top1"]
    assert (table.drop(index=[1, 7])["status"] == "completed").all()


def test_runs_no_longer_planned_may_be_missing(tmp_path: Path) -> None:
    plan, _ = synthetic(configurations=1)
    _, larger = synthetic(configurations=1, seeds=4, status={3: "missing"})
    larger.to_parquet(tmp_path / "t.parquet")
    assert read_results(plan, tmp_path / "t.parquet")["run"].tolist() == [run.id for run in plan.runs]


def test_an_older_record_beside_newer_ones_has_the_defaults(tmp_path: Path) -> None:
    """In one table an older record has gaps in the columns that newer ones brought."""
    _, table = synthetic()
    newer = records_in(table)
    gaps = {"config.mixup": None, "first_losses": None, "seconds.trial": None, "tracked": None}
    write_table(pd.concat([table.iloc[1:], table.iloc[:1].assign(**gaps)]), tmp_path / "runs.parquet")
    *others, older = records_in(read_table(tmp_path / "runs.parquet"))
    assert others == newer[1:]
    assert older == newer[0]


@pytest.mark.parametrize("whole_first", [True, False])
def test_a_part_that_some_records_lack_is_read_in_any_order_of_columns(whole_first: bool) -> None:
    _, table = synthetic()
    parts = {
        "fingerprint.rule": 1,
        "fingerprint.initial_weights_sha256": "0" * 64,
        "fingerprint.losses": [[2.3]] * len(table),
        "fingerprint.update_norms": [[0.1]] * len(table),
        "fingerprint.final_loss": 2.2,
        "fingerprint.learning_rates": [[0.001]] * len(table),
    }
    whole = {"fingerprint": None}
    both = {**whole, **parts} if whole_first else {**parts, **whole}
    records = records_in(table.drop(columns="fingerprint").assign(**both))
    assert [record.fingerprint and record.fingerprint.final_loss for record in records] == [2.2] * len(table)


def test_a_knob_that_is_not_known_here_is_named(tmp_path: Path) -> None:
    _, table = synthetic()
    with pytest.raises(UserError, match=r"-s0\.config\.mixup_too: unknown key; did you mean 'mixup'"):
        records_in(table.assign(**{"config.mixup_too": 0.5}))
    assert len(records_in(table.assign(**{"config.mixup_too": None}))) == len(table)
