"""What the page says of runs that are missing, failed, diverged, tracked, stale or of several machines."""

from pathlib import Path

import pandas as pd
import pytest

from cifarbench.report.page import render
from helpers.page import Text, page_of, rows_of
from helpers.synthetic import synthetic


def test_a_page_without_any_record() -> None:
    plan, table = synthetic(status="missing")
    text = Text(page_of(plan, table)).text
    assert "None of the 12 planned runs has completed yet." in text
    assert "12 runs not begun yet" in text
    assert plan.runs[0].id in text
    assert "Learning curves" not in text


@pytest.mark.parametrize("status", ["missing", "diverged"])
def test_a_page_with_some_records_says_what_is_left_out(status: str) -> None:
    plan, table = synthetic(status={1: status, 11: status})
    text = Text(page_of(plan, table)).text
    assert {"missing": "10 runs", "diverged": "12 runs"}[status] + " of 4 configurations" in text
    assert plan.runs[11].id in text
    assert {"missing": "2 runs not begun yet", "diverged": "2 runs diverged"}[status] in text


def test_diverged_runs_count_at_their_accuracy_everywhere(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=3, seeds=3, status={0: "diverged"})
    table["final.test.top1"] = [0.1, 0.6, 0.59, 0.7, 0.71, 0.72, 0.61, 0.6, 0.62]
    table.at[0, "epochs"] = table["epochs"][0][:2]  # it ended early
    render(plan, table, tmp_path)
    page = (tmp_path / "index.html").read_text()
    text = Text(page).text
    assert "seed 0: 10.00 %" in text
    assert f"{plan.runs[0].id}" in text
    assert "71.0 ± 2.5 %" in text
    rows = pd.read_csv(tmp_path / "tables/configurations.csv").set_index("id")
    first = rows.loc[plan.runs[0].configuration]
    assert first["test accuracy (%)"] == pytest.approx(43)
    assert first["n"] == 3
    assert first["training time (s)"] == pytest.approx(table["seconds.train"][1:3].median())
    assert "In “learning rate 0.001”, one of three runs collapsed (seed 0: 10.0 %); the others" in text
    curves = rows_of(page, "rates")["rows"]["running_train_accuracy"]
    assert [row[1] for row in curves if row[0] == 0] == [1, 2, 3, 4]


def test_a_failed_run_shows_the_end_of_its_log_and_an_interrupted_one_waits() -> None:
    plan, table = synthetic(status={1: "missing", 2: "missing", 3: "missing", 4: "missing"})
    table.loc[1, ["last_words", "state"]] = ["Traceback\nRuntimeError: <oh>", "failed"]
    table.loc[2, ["last_words", "state"]] = ["epoch 3", "interrupted"]
    table.loc[4, ["last_words", "state"]] = ["epoch 5", "running"]
    text = Text(page_of(plan, table)).text
    assert "1 run failed. Its log ends so:" in text
    assert "1 run under way when this was collected" in text
    assert "RuntimeError: <oh>" in text
    assert f"snakemake --cores 1 results/runs/{plan.runs[1].id}/metrics.json" in text
    assert "1 run interrupted and saved" in text
    assert "1 run not begun yet" in text


def test_a_loss_that_overflowed_everywhere_has_no_figure(tmp_path: Path) -> None:
    plan, table = synthetic()
    table["final.test.loss"] = None
    for epochs in table["epochs"]:
        for epoch in epochs:
            epoch["validation_loss"] = None
    render(plan, table, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert not (tmp_path / "figures/rates-test-loss.svg").exists()
    assert (tmp_path / "figures/rates-test-accuracy.svg").exists()
    assert rows_of(page, "rates")["rows"]["validation_loss"] == []


def test_one_run_alone_has_no_spread_and_no_figures() -> None:
    page = page_of(*synthetic(configurations=1, seeds=1))
    text = Text(page).text
    assert "test images right (one seed)." in text
    assert "±" not in text.split("57.7 ± 1.2")[0]
    assert "Only lenet5 has runs" in text
    assert "Learning curves" not in text
    assert 'data-chart="curves"' not in page


def test_a_run_that_was_tracked_says_so_beside_its_time() -> None:
    plan, table = synthetic(configurations=1, seeds=2)
    assert "tracked" not in Text(page_of(plan, table)).text
    table["tracked"] = [["tensorboard", "wandb"], None]
    text = Text(page_of(plan, table)).text
    assert text.count("an epoch (tracked: tensorboard, wandb)") == 1


def test_times_of_different_machines_are_not_compared() -> None:
    plan, table = synthetic()
    table["final.test.top1"] = 0.5 + 10 * table["config.learning_rate"] + table["config.seed"] / 1000
    table["seconds.train"] = 10.0 ** (1000 * table["config.learning_rate"] / 4)
    assert "Best for little" in Text(page_of(plan, table)).text
    table.loc[0, "environment.device_name"] = "Another Processor"
    text = Text(page_of(plan, table)).text
    assert "Best for little" not in text
    assert "do not compare their times" in text
    assert "on Synthetic Processor" not in text


def test_changed_sources_are_said() -> None:
    plan, table = synthetic()
    table.loc[0, "code.source_sha256"] = "f" * 64
    table.loc[0, "code.dirty"] = True
    text = Text(page_of(plan, table)).text
    assert "Some runs were made from something else than the newest" in text
    assert "sources that differ from their commit" in text


def test_an_epoch_chosen_on_the_test_images_is_marked() -> None:
    plan, table = synthetic()
    assert "chosen on the test images, as published" not in Text(page_of(plan, table)).text
    table.loc[0, "final.chosen_by"] = "best_test"
    assert Text(page_of(plan, table)).text.count("chosen on the test images, as published") == 1


def test_an_epoch_chosen_on_the_test_images_does_not_lead() -> None:
    plan, table = synthetic()
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    table.loc[table["configuration"] == order[-1], "final.chosen_by"] = "best_test"
    text = Text(page_of(plan, table)).text
    labels = plan.studies[0].labels
    assert f"The most accurate is lenet5, {labels[order[-2]]}:" in text
    assert "Left out of this are those whose epoch was chosen on the test images" in text


def test_stale_runs_are_listed_with_the_reason() -> None:
    plan, table = synthetic()
    assert "something else than the newest" not in Text(page_of(plan, table)).text
    table.loc[3, "environment.versions.torch"] = "2.11.0"
    text = Text(page_of(plan, table)).text
    assert "1 of 12 runs stale: made from something else than the newest" in text
    assert f"{plan.runs[3].id} : torch 2.11.0, the newest run 2.15.0" in text
