"""The page: a pure function of plan and table, true to them in every state of the sweep."""

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cifarbench.analysis.configuration import over_seeds
from cifarbench.bench.training import GPU_WAYS, WAYS
from cifarbench.plan.plan import Plan
from cifarbench.plan.stored import write_plan
from cifarbench.report.charts import POINTS, library
from cifarbench.report.page import render, sha256
from cifarbench.report.sections import MOST
from cifarbench.report.words import spread
from cifarbench.words import listed
from helpers.claims import with_claims
from helpers.repository import REPOSITORY
from helpers.synthetic import synthetic


def page_of(plan: Plan, table: pd.DataFrame, folder: Path) -> str:
    render(plan, table, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


class Text(HTMLParser):
    """Collects ids and the text that a reader sees, and demands that tags are balanced."""

    VOID = ("meta", "br", "path", "use", "rect", "link", "img", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attributes if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attributes if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "script" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_answer_is_that_of_the_table(tmp_path: Path) -> None:
    plan, table = synthetic()
    text = Text(page_of(plan, table, tmp_path)).text
    best = table.groupby("configuration")["final.test.top1"].agg(["mean", "sem"]).sort_values("mean").iloc[-1]
    half = stats.t.ppf(0.975, 2) * best["sem"]
    assert f"{100 * best['mean']:.1f} ± {100 * half:.1f} %" in text
    assert "12 runs of 4 configurations were trained and tested on cifar10" in text
    assert "mean and 95 % interval of 3 seeds" in text


def test_how_many_images_runs_had_is_said_of_all_of_them(tmp_path: Path) -> None:
    plan, table = synthetic()
    table.loc[0, ["data.train_images", "data.validation_images"]] = [50000, 0]
    text = Text(page_of(plan, table, tmp_path)).text
    assert "cifar10 (45,000 or 50,000 training, 0 or 5,000 validation and " in text


def test_every_configuration_and_seed_is_there(tmp_path: Path) -> None:
    plan, table = synthetic()
    text = Text(page_of(plan, table, tmp_path)).text
    for label in plan.studies[0].labels.values():
        assert label in text
    for value in table["final.test.top1"]:
        assert f"{100 * value:.2f} %" in text
    assert plan.studies[0].question in text
    for fact in ("Synthetic Processor", "torch", "0123456789abcdef", table["data.images_sha256"][0]):
        assert fact in text


def test_ids_are_unique_and_references_lead_somewhere(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    ids = Text(page).ids
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert reference in ids


def test_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    addresses = set(re.findall(r"(?:https?:)?//[\w./-]+", outside_scripts))
    assert {a for a in addresses if "www.w3.org" not in a} == set()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert scripts == [library().result(), (REPOSITORY / "workflow/cifarbench/report/page.js").read_text()]
    assert all(f"'sha256-{sha256(script)}'" in page for script in scripts)


def test_links_lead_to_files_beside_the_page(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    links = set(re.findall(r'href="([^#"]+)"', page))
    assert len(links) == len(set(tmp_path.glob("figures/*")) | set(tmp_path.glob("tables/*")))
    assert all((tmp_path / link).is_file() for link in links)


def test_the_same_results_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Rendered twice in separate processes, in other time zones, languages and hash seeds."""
    plan, table = synthetic()
    write_plan(plan, tmp_path / "plan.json")
    table.to_parquet(tmp_path / "runs.parquet")
    for name, zone, language, seed in (("a", "UTC", "C", "1"), ("b", "Asia/Tokyo", "C.UTF-8", "2")):
        environment = {**os.environ, "TZ": zone, "LC_ALL": language, "PYTHONHASHSEED": seed}
        call = ["report", "plan.json", "runs.parquet", "--output", name]
        command = [sys.executable, "-m", "cifarbench", *call]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    made = []
    for name in "ab":
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    kinds = {Path(name).suffix.removeprefix(".") for name in made[0]}
    assert kinds == {"html", "json", "parquet", "svg", "pdf", "csv", "md", "tex"}
    assert made[0] == made[1]


def test_rendering_needs_no_torch() -> None:
    program = (
        "import sys, cifarbench.report.page, cifarbench.analysis.table; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_colour_of_a_curve_is_one_of_the_page(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    used = set(re.findall(r"var\((--curve-\d)\)", page))
    assert {"--curve-0", "--curve-3"} <= used
    assert all(f"{name}: light-dark(" in page for name in used)
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.findall(r"(?:stroke|fill): #(?!ffffff)", drawings)


def test_labels_in_figures_are_whole(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    for rate in ("0.001", "0.002", "0.004", "0.008"):
        assert len(re.findall(rf"<text[^>]*>learning rate {rate}</text>", page)) == 3


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    evil = "<script>alert('$x_1$')</script>"
    plan, table = synthetic(classes=[evil, *"bcdefghij"], title=evil, question=evil)
    page = page_of(plan, table, tmp_path)
    assert "<script>alert" not in page
    assert evil in Text(page).text
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        assert json.loads(block)


def test_a_page_without_any_record(tmp_path: Path) -> None:
    plan, table = synthetic(status="missing")
    text = Text(page_of(plan, table, tmp_path)).text
    assert "None of the 12 planned runs has completed yet." in text
    assert "12 runs not begun yet" in text
    assert plan.runs[0].id in text
    assert "Learning curves" not in text


@pytest.mark.parametrize("status", ["missing", "diverged"])
def test_a_page_with_some_records_says_what_is_left_out(tmp_path: Path, status: str) -> None:
    plan, table = synthetic(status={1: status, 11: status})
    text = Text(page_of(plan, table, tmp_path)).text
    assert {"missing": "10 runs", "diverged": "12 runs"}[status] + " of 4 configurations" in text
    assert plan.runs[11].id in text
    assert {"missing": "2 runs not begun yet", "diverged": "2 runs diverged"}[status] in text


def test_diverged_runs_count_at_their_accuracy_everywhere(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=3, seeds=3, status={0: "diverged"})
    table["final.test.top1"] = [0.1, 0.6, 0.59, 0.7, 0.71, 0.72, 0.61, 0.6, 0.62]
    table.at[0, "epochs"] = table["epochs"][0][:2]  # it ended early
    page = page_of(plan, table, tmp_path)
    text = Text(page).text
    assert "seed 0: 10.00 %" in text
    assert f"{plan.runs[0].id}" in text
    assert "71.0 ± 2.5 %" in text
    rows = pd.read_csv(tmp_path / "tables/configurations.csv").set_index("id")
    first = rows.loc[plan.runs[0].configuration]
    assert first["test accuracy (%)"] == pytest.approx(43)
    assert first["seeds"] == 3
    assert first["training time (s)"] == pytest.approx(table["seconds.train"][1:3].median())
    assert "1 of 3 runs of learning rate 0.001 collapsed (10.0 %)" in text
    curves = rows_of(page, "rates")["rows"]["running_train_accuracy"]
    assert [row[1] for row in curves if row[0] == 0] == [1, 2, 3, 4]


def test_a_failed_run_shows_the_end_of_its_log_and_an_interrupted_one_waits(tmp_path: Path) -> None:
    plan, table = synthetic(status={1: "missing", 2: "missing", 3: "missing", 4: "missing"})
    table.loc[1, ["last_words", "state"]] = ["Traceback\nRuntimeError: <oh>", "failed"]
    table.loc[2, ["last_words", "state"]] = ["epoch 3", "interrupted"]
    table.loc[4, ["last_words", "state"]] = ["epoch 5", "running"]
    text = Text(page_of(plan, table, tmp_path)).text
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
    page = page_of(plan, table, tmp_path)
    assert not (tmp_path / "figures/rates-test-loss.svg").exists()
    assert (tmp_path / "figures/rates-test-accuracy.svg").exists()
    assert rows_of(page, "rates")["rows"]["validation_loss"] == []


def test_one_run_alone_has_no_spread(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=1, seeds=1)
    text = Text(page_of(plan, table, tmp_path)).text
    assert "a single seed, so its spread is unknown" in text
    assert "±" not in text.split("Mean ± half")[0]
    assert "Only the seed varies" in text


def test_times_of_different_machines_are_not_compared(tmp_path: Path) -> None:
    plan, table = synthetic()
    table.loc[0, "environment.device_name"] = "Another Processor"
    text = Text(page_of(plan, table, tmp_path)).text
    assert "their times are not compared" in text
    assert "trains fastest" not in text


def test_changed_sources_are_said(tmp_path: Path) -> None:
    plan, table = synthetic()
    table.loc[0, "code.source_sha256"] = "f" * 64
    table.loc[0, "code.dirty"] = True
    text = Text(page_of(plan, table, tmp_path)).text
    assert "made from different versions of the sources" in text
    assert "sources that differ from their commit" in text


def test_an_epoch_chosen_on_the_test_images_is_marked(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "chosen on the test images" not in Text(page_of(plan, table, tmp_path)).text
    table.loc[0, "final.chosen_by"] = "best_test"
    assert Text(page_of(plan, table, tmp_path)).text.count("chosen on the test images, as published") == 1


def test_what_cannot_be_told_from_the_best_is_said(tmp_path: Path) -> None:
    plan, table = synthetic(seeds=5)
    seeds = table["config.seed"].astype(float) / 1000
    table["final.test.top1"] = 0.7 + seeds + 0.05 * (table["config.learning_rate"] > 0.003)
    table.loc[[0, 5, 12, 19], "final.test.top1"] += 0.002  # so that no difference is the same in all seeds
    page = page_of(plan, table, tmp_path)
    text = Text(page).text
    assert "learning rate 0.008 is highest, 75.2 ± 0.3 %." in text
    # In the head and in the study, the same of the same family.
    assert text.count("2 of 3 others are lower beyond seed noise") == 2
    assert text.count("test of all pairs of 4 configurations") == 2
    assert text.count("Not told apart from it: learning rate 0.004.") == 2
    assert text.count("Differences from the best, tested") == 1
    assert "single-seed figures need 0.5 points between them to mean anything" in text
    assert len(re.findall("<td>(?:yes|no)</td>", page)) == 3


def test_the_two_best_are_compared_image_by_image(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "McNemar" not in Text(page_of(plan, table, tmp_path)).text
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    bits = {order[-1]: bytes([0b11111100]), order[-2]: bytes([0b11000011])}
    table["correct"] = [bits.get(key, bytes([0])) for key in table["configuration"]]
    text = Text(page_of(plan, table, tmp_path)).text
    assert "4 are right only with the best, 2 only with the next (McNemar's exact test, p 0.69)" in text


def test_the_pareto_front_is_what_nothing_beats_in_both(tmp_path: Path) -> None:
    plan, table = synthetic()
    by_rate = {0.001: (0.5, 1.0), 0.002: (0.7, 2.0), 0.004: (0.6, 3.0), 0.008: (0.8, 40.0)}
    table["final.test.top1"] = [by_rate[rate][0] for rate in table["config.learning_rate"]]
    table["seconds.train"] = [by_rate[rate][1] for rate in table["config.learning_rate"]]
    page = page_of(plan, table, tmp_path)
    (front,) = re.findall(r"<ol>(.*?)</ol>", page[page.index('id="cost"') :], re.DOTALL)
    assert re.findall(r"<li>learning rate ([\d.]+):", front) == ["0.001", "0.002", "0.008"]
    assert 'data-chart="cost-parameters"' not in page  # all have as many


def test_times_of_different_machines_are_no_cost_but_parameters_are(tmp_path: Path) -> None:
    plan, table = synthetic()
    table["model.parameters"] = (1e6 * table["config.learning_rate"]).astype(int)
    table.loc[0, "environment.device_name"] = "Another Processor"
    page = page_of(plan, table, tmp_path)
    assert 'data-chart="cost-seconds"' not in page
    assert 'data-chart="cost-parameters"' in page
    assert (tmp_path / "figures/cost-parameters.pdf").exists()


def test_claims_are_listed_with_their_verdict(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "Published claims" not in Text(page_of(plan, table, tmp_path)).text
    page = page_of(with_claims(plan), table, tmp_path)
    text = Text(page).text
    assert "Of 2 published claims, 1 could be tested: 1 " in text
    assert "1 claims whose runs are missing" in text
    assert page.count('<span class="outcome">') == 1


def test_a_baseline_is_compared(tmp_path: Path) -> None:
    plan, table = synthetic()
    worse = table.assign(**{"final.test.top1": table["final.test.top1"] - 0.05})
    render(plan, worse, tmp_path, baseline=table)
    text = Text((tmp_path / "index.html").read_text()).text
    assert "4 configurations in both tables, 4 different; 4 worse here." in text


def test_an_epoch_chosen_on_the_test_images_does_not_lead(tmp_path: Path) -> None:
    plan, table = synthetic()
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    table.loc[table["configuration"] == order[-1], "final.chosen_by"] = "best_test"
    text = Text(page_of(plan, table, tmp_path)).text
    labels = plan.studies[0].labels
    assert f"The highest test accuracy is that of {labels[order[-2]]}:" in text
    assert "Left out of this are those whose epoch was chosen on the test images" in text


def test_data_sets_are_not_ranked_together(tmp_path: Path) -> None:
    plan, table = synthetic()
    table.loc[table["config.learning_rate"] > 0.003, "data.name"] = "digits"
    text = Text(page_of(plan, table, tmp_path)).text
    assert "The highest test accuracy on cifar10 is that of" in text
    assert "The highest test accuracy on digits is that of" in text
    assert "best test accuracy on cifar10" in text
    # Nor tested together: each data set has its own family, study and cost.
    assert text.count("test of all pairs of 2 configurations") == 4
    for name in ("cifar10", "digits"):
        assert f"Rates ({name})" in text
        assert f"Accuracy against cost ({name})" in text


def test_a_hundred_classes_show_the_hardest(tmp_path: Path) -> None:
    plan, table = synthetic(classes=[f"class {n}" for n in range(100)])
    text = Text(page_of(plan, table, tmp_path)).text
    assert "Shown are the 20 hardest classes; 80 are left out." in text


def test_the_speed_is_shown_where_it_was_measured(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "naive loop" not in page_of(plan, table, tmp_path)
    case = {"model": "lenet5", "batch_size": 32, "ratio_quartiles": [1.0, 9.0]}
    rows = [{**case, "way": way, "ratio": 1 + n} for n, way in enumerate((*WAYS, *GPU_WAYS))]
    for device, says in (("cpu", "2 threads"), ("cuda", "one GPU")):
        render(plan, table, tmp_path, {"device": device, "rows": rows, "threads": 2, "rounds": 3})
        page = (tmp_path / "index.html").read_text()
        assert "lenet5, batch 32 7.0 times" in page
        assert f"quartiles of 3 rounds in turn, {says}." in Text(page).text


def test_the_head_says_the_strongest_finding_of_each_study(tmp_path: Path) -> None:
    plan, table = synthetic(seeds=5)
    text = Text(page_of(plan, table, tmp_path)).text
    assert "Rates : no difference from the best of 4 configurations is beyond seed noise" in text
    assert "Not told apart from it: " in text
    table["final.test.top1"] = 0.5 + 10 * table["config.learning_rate"] + table["config.seed"] / 1000
    text = Text(page_of(plan, table, tmp_path)).text
    assert "Rates : learning rate 0.008 beats learning rate 0.001 by 7.0 points (6.6 to 7.4)" in text
    assert "3 of 3 others are lower beyond seed noise" in text


def test_with_one_seed_nothing_is_said_to_be_noise(tmp_path: Path) -> None:
    text = Text(page_of(*synthetic(seeds=1), tmp_path)).text
    assert "Rates : too few seeds to tell a difference between 4 configurations" in text
    assert "3 others are not tested, for want of seeds; 2 more seeds would do." in text
    assert "(a single seed, so its spread is unknown, on these " in text


def test_two_seeds_are_told_as_they_are(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    table["final.test.top1"] = [0.39, 0.97, 0.5, 0.51]
    text = Text(page_of(plan, table, tmp_path)).text
    assert "39.0 and 97.0 %" in text
    assert "1 more seed would do." in text
    assert "beyond seed noise (Games" not in text


def test_a_study_has_all_seeds_of_its_configurations(tmp_path: Path) -> None:
    """A configuration may have more seeds in another study; both say the same of it."""
    plan, table = synthetic(configurations=3, seeds=3)
    [study] = plan.studies
    fewer = [run for run in study.runs if not run.endswith("s2")]
    shorter = study.model_copy(update={"name": "short", "title": "Short", "runs": fewer})
    both = plan.model_copy(update={"studies": [study, shorter]})
    text = Text(page_of(both, table, tmp_path)).text
    assert "would do" not in text


def test_the_cheapest_needs_times_that_do_not_overlap(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=2)
    table["final.test.top1"] = [0.7, 0.702, 0.701, 0.705, 0.706, 0.704]
    table["seconds.train"] = [50.0, 60.0, 99.0, 63.0, 99.0, 80.0]
    assert "took the least time" not in Text(page_of(plan, table, tmp_path)).text
    table["seconds.train"] = [10.0, 20.0, 30.0, 63.0, 99.0, 80.0]
    text = Text(page_of(plan, table, tmp_path)).text
    assert "in 20.0 (10.0 to 30.0) s, by the medians 4.0 times faster." in text


def test_stale_runs_are_listed_with_the_reason(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "stale" not in Text(page_of(plan, table, tmp_path)).text
    table.loc[3, "environment.versions.torch"] = "2.11.0"
    text = Text(page_of(plan, table, tmp_path)).text
    assert "1 run stale" in text
    assert f"{plan.runs[3].id} : torch 2.11.0, the newest run 2.15.0" in text


def rows_of(page: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="rows-{name}">(.*?)</script>', page)
    assert found
    return dict(json.loads(found[1]))


def test_curves_are_the_means_and_extremes_of_the_seeds(tmp_path: Path) -> None:
    plan, table = synthetic()
    for position in (0, 1, 2):
        table["epochs"][position][0]["validation_accuracy"] = 0.2 + position / 10
    data = rows_of(page_of(plan, table, tmp_path), "rates")
    assert [curve["label"] for curve in data["curves"]] == list(plan.studies[0].labels.values())
    assert data["columns"] == ["epoch", "mean", "low", "high"]
    assert data["rows"]["validation_accuracy"][0] == [0, 1, 30.0, 20.0, 40.0]
    assert len(data["rows"]["running_train_loss"]) == 4 * 4


def test_long_curves_are_thinned_and_large_studies_cut_and_the_page_says_so(tmp_path: Path) -> None:
    page = page_of(*synthetic(configurations=MOST + 3, seeds=2, epochs=3 * POINTS), tmp_path)
    text = Text(page).text
    assert f"Of longer curves, {POINTS} epochs are shown." in text
    assert f"Shown are the best {MOST}; 3 are left out here" in text
    rows = rows_of(page, "rates")["rows"]["validation_loss"]
    assert len(rows) == MOST * POINTS
    assert {rows[0][1], rows[-1][1]} == {1, 3 * POINTS}


def test_where_models_fail_is_what_the_records_say(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    best = table.groupby("configuration")["final.test.top1"].mean().idxmax()
    matrix = np.eye(10, dtype=int) * 90
    matrix[3, 5] = matrix[5, 5] = 10
    table["final.test.confusion"] = [matrix.tolist()] * 4
    text = Text(page_of(plan, table, tmp_path)).text
    assert "Where models fail (cifar10)" in text
    assert f"{plan.studies[0].labels[best]}: d for f (10 %)" in text
    assert text.count("Confusion matrix of") == 2
    assert (tmp_path / "figures/calibration-cifar10.pdf").exists()


def test_pictures_say_what_each_configuration_answered(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    keys = list(dict.fromkeys(run.configuration for run in plan.runs))
    picture = {"dataset": "cifar10", "image": 7, "label": 3, "wrong": 0.5, "png": b"PNG"}
    pictures = pd.DataFrame([{**picture, "answers": [3, 5], "configurations": keys}])
    render(plan, table, tmp_path, pictures=pictures)
    page = (tmp_path / "index.html").read_text()
    labels = plan.studies[0].labels
    text = Text(page).text
    assert "d , 50 % of runs wrong" in text
    assert f"d : {labels[keys[0]]}" in text
    assert f"f : {labels[keys[1]]}" in text
    assert "data:image/png;base64,UE5H" in page
    other = pictures.assign(configurations=[["another", "table"]])
    render(plan, table, tmp_path, pictures=other)
    assert "Images that were hard" not in (tmp_path / "index.html").read_text()


def test_tables_hold_what_the_page_shows(tmp_path: Path) -> None:
    plan, table = synthetic()
    render(plan, table, tmp_path)
    means = table.groupby("configuration")["final.test.top1"].mean().sort_values(ascending=False)
    for kind, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        configurations = read(tmp_path / f"tables/configurations.{kind}")
        assert configurations["id"].tolist() == means.index.tolist()
        assert configurations["test accuracy (%)"].tolist() == pytest.approx((100 * means).tolist())
    assert f"{100 * means.iloc[0]:.4g}" in (tmp_path / "tables/configurations.md").read_text()
    latex = (tmp_path / "tables/differences.tex").read_text()
    assert latex.startswith("\\begin{tabular}")
    assert latex.count("learning rate") == 6


def test_figures_and_tables_of_an_earlier_page_go(tmp_path: Path) -> None:
    plan, table = synthetic()
    render(plan, table, tmp_path)
    before = {path.name for path in (tmp_path / "figures").iterdir()}
    (tmp_path / "figures/notes.txt").touch()
    render(plan, table.assign(status="missing"), tmp_path)
    assert {"rates-curves.pdf", "cost-seconds.svg"} <= before
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["notes.txt"]
    assert list((tmp_path / "tables").iterdir()) == []


def test_words() -> None:
    def written(metric: str, *values: float) -> str:
        return spread(over_seeds(values, metric), metric)

    assert written("test_accuracy", 0.59, 0.61, 0.6) == "60.0 ± 2.5 %"
    assert written("test_accuracy", 0.1, 0.2, 0.15) == "15.0 (6.2 to 31.9) %"
    assert written("test_accuracy", 0.5, 0.7) == "50.0 and 70.0 %"
    assert written("test_accuracy", 0.5) == "50.0 %"
    assert written("seconds", 1234.5) == "1,234.5 s"
    assert written("seconds", 99, 63, 70) == "70.0 (63.0 to 99.0) s"
    assert written("parameters", 62006, 62006) == "62,006"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_the_picture_in_the_readme_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (REPOSITORY / "README.md").read_text()):
        assert (REPOSITORY / path).exists(), path
