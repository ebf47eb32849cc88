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
from cifarbench.analysis.results import Results
from cifarbench.bench.training import GPU_WAYS, WAYS
from cifarbench.cli.parser import main
from cifarbench.plan.plan import Plan
from cifarbench.plan.published_tables import Cell, PublishedTable, Row
from cifarbench.plan.stored import write_plan
from cifarbench.report.charts import POINTS, library
from cifarbench.report.page import page as written_page
from cifarbench.report.page import render, sha256
from cifarbench.report.section import all_sections
from cifarbench.report.sections.studies import MOST
from cifarbench.report.tables import all_tables
from cifarbench.report.words import spread
from cifarbench.words import listed
from helpers.claims import quantity, with_claims
from helpers.picture import layout, layout_of
from helpers.repository import REPOSITORY
from helpers.synthetic import synthetic


def page_of(plan: Plan, table: pd.DataFrame, **more: Any) -> str:
    """Return the page alone, without the files beside it, which take longer."""
    results = Results(plan, table, **more)
    return written_page(results, list(all_sections(results)), list(all_tables(results)))


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


def test_the_answer_is_that_of_the_table() -> None:
    plan, table = synthetic()
    text = Text(page_of(plan, table)).text
    best = table.groupby("configuration")["final.test.top1"].agg(["mean", "sem"]).sort_values("mean").iloc[-1]
    half = stats.t.ppf(0.975, 2) * best["sem"]
    assert f"{100 * best['mean']:.1f} ± {100 * half:.1f} %" in text
    assert "12 runs of 4 configurations on cifar10" in text
    assert "test images right (three seeds)." in text


def test_how_many_images_runs_had_is_said_of_all_of_them() -> None:
    plan, table = synthetic()
    table.loc[0, ["data.train_images", "data.validation_images"]] = [50000, 0]
    text = Text(page_of(plan, table)).text
    assert "cifar10: 45,000 or 50,000 training, 0 or 5,000 validation, " in text


def test_every_configuration_and_seed_is_there() -> None:
    plan, table = synthetic()
    text = Text(page_of(plan, table)).text
    for label in plan.studies[0].labels.values():
        assert label in text
    for value in table["final.test.top1"]:
        assert f"{100 * value:.2f} %" in text
    assert plan.studies[0].question in text
    for fact in ("Synthetic Processor", "torch", "0123456789abcdef", table["data.images_sha256"][0]):
        assert fact in text


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    page = page_of(*synthetic())
    ids = Text(page).ids
    assert len(ids) == len(set(ids))
    for reference in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert reference in ids


def test_nothing_is_loaded_from_elsewhere() -> None:
    page = page_of(*synthetic())
    outside_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    addresses = set(re.findall(r"(?:https?:)?//[\w./-]+", outside_scripts))
    assert {a for a in addresses if "www.w3.org" not in a} == set()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert scripts == [library().result(), (REPOSITORY / "workflow/cifarbench/report/page.js").read_text()]
    assert all(f"'sha256-{sha256(script)}'" in page for script in scripts)


def test_links_lead_to_files_beside_the_page(tmp_path: Path) -> None:
    render(*synthetic(), tmp_path)
    page = (tmp_path / "index.html").read_text()
    links = set(re.findall(r'href="([^#"]+)"', page))
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert links == files - {"index.html", "README.md"}  # what tells of the folder
    assert all((tmp_path / link).is_file() for link in links)


def test_the_same_results_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Rendered here, and in a process of another time zone, language and hash seed."""
    plan, table = synthetic()
    write_plan(plan, tmp_path / "plan.json")
    table.to_parquet(tmp_path / "runs.parquet")
    call = ["report", str(tmp_path / "plan.json"), str(tmp_path / "runs.parquet"), "--output"]
    assert main([*call, str(tmp_path / "a")]) == 0
    environment = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "2"}
    command = [sys.executable, "-m", "cifarbench", *call, str(tmp_path / "b")]
    subprocess.run(command, env=environment, check=True)
    made = []
    for name in "ab":
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({str(path.relative_to(tmp_path / name)): path.read_bytes() for path in files})
    kinds = {Path(name).suffix.removeprefix(".") for name in made[0]}
    assert kinds == {"html", "json", "parquet", "svg", "pdf", "csv", "md", "tex", "txt"}
    assert made[0] == made[1]


def test_rendering_needs_no_torch() -> None:
    program = (
        "import sys, cifarbench.report.page, cifarbench.analysis.table; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_colour_of_a_curve_is_one_of_the_page() -> None:
    page = page_of(*synthetic())
    used = set(re.findall(r"var\((--curve-\d)\)", page))
    assert {"--curve-0", "--curve-3"} <= used
    assert all(f"{name}: light-dark(" in page for name in used)
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.findall(r"#[0-9a-f]{6}", drawings)


def test_names_are_escaped_everywhere() -> None:
    evil = "<script>alert('$x_1$')</script>"
    plan, table = synthetic(classes=[evil, *"bcdefghij"], title=evil, question=evil)
    page = page_of(plan, table)
    assert "<script>alert" not in page
    assert evil in Text(page).text
    for block in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        assert json.loads(block)


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


def separable() -> tuple[Plan, pd.DataFrame]:
    """Results of which the two lower configurations differ from the two higher ones, and these do not."""
    plan, table = synthetic(seeds=5)
    seeds = table["config.seed"].astype(float) / 1000
    table["final.test.top1"] = 0.7 + seeds + 0.05 * (table["config.learning_rate"] > 0.003)
    table.loc[[0, 5, 12, 19], "final.test.top1"] += 0.002  # so that no difference is the same in all seeds
    return plan, table


def test_what_cannot_be_told_from_the_best_is_said() -> None:
    text = Text(page_of(*separable())).text
    assert "The most accurate is lenet5, learning rate 0.008: 75.2 ± 0.3 % of" in text
    following = "Next is lenet5, learning rate 0.004 with 75.2 ± 0.2 %; these seeds cannot separate the two"
    assert following in text
    assert "Both others are lower beyond seed noise." in text
    assert "“learning rate 0.008” has the highest mean." in text
    assert "Not told apart from it: “learning rate 0.004”." in text
    assert "differ by up to 0.5 points by chance" in text


def test_head_findings_study_and_table_say_the_same(tmp_path: Path) -> None:
    """Each difference that the page tells, wherever it stands, is that of one family of tests."""
    plan, table = separable()
    render(plan, table, tmp_path)
    page = (tmp_path / "index.html").read_text()
    rows = pd.read_csv(tmp_path / "tables/differences.csv")
    text = Text(page).text
    told = re.findall(r"\(([+-][\d.]+) points, ([+-][\d.]+) to ([+-][\d.]+)\)", text)
    numbers = rows[["difference (points)", "low", "high"]]
    known = {tuple(f"{value:+.1f}" for value in row) for row in numbers.itertuples(index=False)}
    assert len(told) >= 3  # in the head, in what the study found, and on a card
    assert set(told) <= known
    assert rows["told apart"].tolist() == ["no", "yes", "yes"]
    assert re.findall("<td>(yes|no)</td>", page[page.index("Differences, tested") :]) == ["no", "yes", "yes"]
    ranks = pd.read_csv(tmp_path / "tables/configurations.csv")["configuration"].tolist()
    assert re.findall(r"<summary>(lenet5, learning rate [\d.]+)", page) == ranks
    assert f"The most accurate is {ranks[0]}: " in text
    assert f"Next is {ranks[1]} " in text


def test_an_unrelated_study_changes_no_decision_of_the_head() -> None:
    plan, table = separable()
    more_plan, more = synthetic(configurations=4, seeds=5, studies=2)
    more["final.test.top1"] = 0.3 + more["config.seed"] / 1000
    more.iloc[:20, more.columns.get_loc("final.test.top1")] = table["final.test.top1"].to_numpy()
    for made in ((plan, table), (more_plan, more)):
        text = Text(page_of(*made)).text
        assert "learning rate 0.008" in text.split("Next is")[0]
        assert "these seeds cannot separate the two" in text


def test_the_two_best_are_compared_image_by_image() -> None:
    plan, table = synthetic()
    assert "McNemar" not in Text(page_of(plan, table)).text
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    bits = {order[-1]: bytes([0b11111100]), order[-2]: bytes([0b11000011])}
    table["correct"] = [bits.get(key, bytes([0])) for key in table["configuration"]]
    text = Text(page_of(plan, table)).text
    assert "4 are right only with learning rate " in text
    assert "(McNemar's exact test, p 0.69)" in text


def test_the_pareto_front_is_what_nothing_beats_in_both() -> None:
    plan, table = synthetic()
    by_rate = {0.001: (0.5, 1.0), 0.002: (0.7, 2.0), 0.004: (0.6, 3.0), 0.008: (0.8, 40.0)}
    table["final.test.top1"] = [by_rate[rate][0] for rate in table["config.learning_rate"]]
    table["seconds.train"] = [by_rate[rate][1] for rate in table["config.learning_rate"]]
    page = page_of(plan, table)
    (front,) = re.findall(r"<ol>(.*?)</ol>", page[page.index('id="cost"') :], re.DOTALL)
    assert re.findall(r"<li>lenet5, learning rate ([\d.]+):", front) == ["0.001", "0.002", "0.008"]
    assert 'data-chart="cost-parameters"' not in page  # all have as many


def test_times_of_different_machines_are_no_cost_but_parameters_are() -> None:
    plan, table = synthetic()
    table["model.parameters"] = (1e6 * table["config.learning_rate"]).astype(int)
    table.loc[0, "environment.device_name"] = "Another Processor"
    page = page_of(plan, table)
    assert 'data-chart="cost-seconds"' not in page
    assert 'data-chart="cost-parameters"' in page
    assert 'href="figures/cost-parameters.pdf"' in page


def test_claims_are_listed_with_their_verdict() -> None:
    plan, table = synthetic()
    assert "Published claims" not in Text(page_of(plan, table)).text
    page = page_of(with_claims(plan), table)
    text = Text(page).text
    assert "Of 2 published claims, tables and repeated figures, 1 could be tested: 1 " in text
    assert "1 claim whose runs are missing" in text
    assert "2 claims about 3 quantities; 1 tested." in text
    assert page.count('<span class="outcome ') == 1


def test_published_tables_are_drawn_beside_ours(tmp_path: Path) -> None:
    plan, table = synthetic(configurations=2)
    keys = [run.configuration for run in (plan.runs[0], plan.runs[-1])]
    cells = [
        [
            Cell(quantity=quantity(key, metric=metric), published=value, tolerance=(0, 0), margin=0.02)
            for metric, value in (("test_accuracy", 0.123), ("seconds", seconds))
        ]
        for key, seconds in zip(keys, (10, 25), strict=True)
    ]
    rows = [Row(label=key, cells=row) for key, row in zip(keys, cells, strict=True)]
    columns = ["test_accuracy", "seconds"]
    told = PublishedTable(id="t", source="P, t", title="Told by P", columns=columns, rows=rows)
    render(plan.model_copy(update={"tables": [told]}), table, tmp_path)
    text = Text((tmp_path / "index.html").read_text()).text
    assert "Told by P" in text
    assert text.count("12.3 %") == 2
    assert "× 2.50" in text
    assert "2 of 2 figures measured" in text
    published = pd.read_csv(tmp_path / "tables/published.csv")
    assert published["published"].tolist() == [12.3, 1.0, 12.3, 2.5]
    means = table.groupby("configuration")["final.test.top1"].mean()
    assert published["ours"][0] == pytest.approx(100 * means[keys[0]])


def test_a_baseline_is_compared() -> None:
    plan, table = synthetic()
    worse = table.assign(**{"final.test.top1": table["final.test.top1"] - 0.05})
    text = Text(page_of(plan, worse, baseline=table)).text
    assert "4 configurations in both tables, 4 different; 4 worse here." in text


def test_an_epoch_chosen_on_the_test_images_does_not_lead() -> None:
    plan, table = synthetic()
    order = table.groupby("configuration")["final.test.top1"].mean().sort_values().index
    table.loc[table["configuration"] == order[-1], "final.chosen_by"] = "best_test"
    text = Text(page_of(plan, table)).text
    labels = plan.studies[0].labels
    assert f"The most accurate is lenet5, {labels[order[-2]]}:" in text
    assert "Left out of this are those whose epoch was chosen on the test images" in text


def test_data_sets_are_not_ranked_together() -> None:
    plan, table = synthetic()
    table.loc[table["config.learning_rate"] > 0.003, "data.name"] = "digits"
    text = Text(page_of(plan, table)).text
    assert "The most accurate on cifar10 is " in text
    assert "The most accurate on digits is " in text
    assert text.count("Most accurate") == 2
    # Nor tested together: each data set has its own family, study and cost.
    assert text.count("The 2 configurations of the data set are one family") == 2
    for name in ("cifar10", "digits"):
        assert f"Rates ({name})" in text
        assert f"Accuracy against cost ({name})" in text


def test_a_hundred_classes_show_the_hardest() -> None:
    plan, table = synthetic(classes=[f"class {n}" for n in range(100)])
    text = Text(page_of(plan, table)).text
    assert "Shown are the 20 hardest classes; 80 are left out." in text


def test_the_speed_is_shown_where_it_was_measured() -> None:
    plan, table = synthetic()
    assert "naive loop" not in page_of(plan, table)
    case = {"model": "lenet5", "batch_size": 32, "ratio_quartiles": [1.0, 9.0]}
    rows = [{**case, "way": way, "ratio": 1 + n} for n, way in enumerate((*WAYS, *GPU_WAYS))]
    for device, says in (("cpu", "2 threads"), ("cuda", "one GPU")):
        page = page_of(plan, table, speed={"device": device, "rows": rows, "threads": 2, "rounds": 3})
        assert "lenet5, batch 32 7.0 times" in page
        assert f"quartiles of 3 rounds in turn, {says}." in Text(page).text


def test_each_study_says_what_it_found() -> None:
    plan, table = synthetic(seeds=5)
    text = Text(page_of(plan, table)).text
    assert "Rates No difference between 4 configurations is beyond seed noise. 20 of 20 yes" in text
    table["final.test.top1"] = 0.5 + 10 * table["config.learning_rate"] + table["config.seed"] / 1000
    text = Text(page_of(plan, table)).text
    beats = "“learning rate 0.008” beats “learning rate 0.001” (+7.0 points, +6.6 to +7.4)."
    assert f"Rates {beats} 20 of 20 yes" in text
    assert "each of the others is lower beyond seed noise" in text


def test_with_one_seed_nothing_is_said_to_be_noise() -> None:
    text = Text(page_of(*synthetic(seeds=1))).text
    assert "Rates Too few seeds to compare 4 configurations. 4 of 4 not yet" in text
    assert "fewer than three seeds of each tell nothing about the difference" in text
    assert "beyond seed noise" not in text.split("What each study found")[0]


def test_two_seeds_are_told_as_they_are() -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    table["final.test.top1"] = [0.39, 0.97, 0.5, 0.51]
    text = Text(page_of(plan, table)).text
    assert "39.0 and 97.0 %" in text
    assert "fewer than three seeds of each tell nothing about the difference" in text


def test_steps_are_compared_each_with_the_one_before() -> None:
    plan, table = synthetic(seeds=5)
    steps = plan.studies[0].model_copy(update={"compare": "previous"})
    table["final.test.top1"] = [0.5, 0.501, 0.502, 0.503, 0.504] * 4
    table.loc[table["config.learning_rate"] > 0.003, "final.test.top1"] += 0.05
    table.loc[table["config.learning_rate"] == 0.008, "final.test.loss"] += 0.5
    table.loc[table["config.learning_rate"] == 0.002, "final.test.loss"] = table["final.test.loss"][
        :5
    ].tolist()
    table.loc[table["config.learning_rate"] == 0.001, "final.test.loss"] = table["final.test.loss"][
        :5
    ].tolist()
    text = Text(page_of(plan.model_copy(update={"studies": [steps]}), table)).text
    assert "“learning rate 0.002” and “learning rate 0.001” are the same experiment" in text
    assert "“learning rate 0.004” beats “learning rate 0.002” (+5.0 points," in text
    assert "“learning rate 0.008” and “learning rate 0.004” cannot be told apart (+0.0 points," in text


def test_a_grid_over_models_compares_within_each() -> None:
    plan, table = synthetic(seeds=5)
    table["config.model"] = ["a"] * 10 + ["b"] * 10
    table["final.test.top1"] = 0.5 + table["config.seed"] / 1000
    table.loc[10:, "final.test.top1"] += 0.2
    table.loc[5:9, "final.test.top1"] += 0.03
    table["final.test.loss"] = table.index / 10  # else equal accuracies would be the same runs
    text = Text(page_of(plan, table)).text
    assert "“learning rate 0.002” beats “learning rate 0.001” (+3.0 points," in text
    assert "“learning rate 0.004” and “learning rate 0.008” cannot be told apart" in text
    assert "beats “learning rate 0.002”" not in text


def test_a_study_has_all_seeds_of_its_configurations() -> None:
    """A configuration may have more seeds in another study; both say the same of it."""
    plan, table = synthetic(configurations=3, seeds=3)
    [study] = plan.studies
    fewer = [run for run in study.runs if not run.endswith("s2")]
    shorter = study.model_copy(update={"name": "short", "title": "Short", "runs": fewer})
    both = plan.model_copy(update={"studies": [study, shorter]})
    text = Text(page_of(both, table)).text
    assert "would do" not in text


def test_less_time_is_told_only_where_times_do_not_overlap() -> None:
    plan, table = synthetic(configurations=2)
    table["final.test.top1"] = [0.7, 0.702, 0.701, 0.705, 0.706, 0.704]
    table["seconds.train"] = [20.0, 20.0, 99.0, 63.0, 99.0, 80.0]
    assert "Best for little" not in Text(page_of(plan, table)).text
    table["seconds.train"] = [10.0, 20.0, 30.0, 63.0, 99.0, 80.0]
    text = Text(page_of(plan, table)).text
    assert "in about 20 s (10 to 30): four times faster than the most accurate, for 0.4 points less." in text


def test_a_warning_names_what_collapses_or_else_what_costs_most() -> None:
    plan, table = separable()
    text = Text(page_of(plan, table)).text
    assert "Not this lenet5, learning rate 0.00" in text
    assert "where lenet5, learning rate 0.008 reaches 75.2 %" in text
    table.loc[[0, 1], "final.test.top1"] = [0.3, 0.2]
    text = Text(page_of(plan, table)).text
    assert "Not this lenet5, learning rate 0.001 Two of five runs collapsed to 30.0 % and 20.0 %" in text


def test_stale_runs_are_listed_with_the_reason() -> None:
    plan, table = synthetic()
    assert "something else than the newest" not in Text(page_of(plan, table)).text
    table.loc[3, "environment.versions.torch"] = "2.11.0"
    text = Text(page_of(plan, table)).text
    assert "1 of 12 runs stale: made from something else than the newest" in text
    assert f"{plan.runs[3].id} : torch 2.11.0, the newest run 2.15.0" in text


def rows_of(page: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="rows-{name}">(.*?)</script>', page)
    assert found
    return dict(json.loads(found[1]))


def test_curves_have_a_line_for_each_seed() -> None:
    plan, table = synthetic()
    for position in (0, 1, 2):
        table["epochs"][position][0]["validation_accuracy"] = 0.2 + position / 10
    data = rows_of(page_of(plan, table), "rates")
    assert [curve["label"] for curve in data["curves"]] == list(plan.studies[0].labels.values())
    assert data["curves"][0]["lines"] == ["seed 0", "seed 1", "seed 2"]
    assert data["rows"]["validation_accuracy"][0] == [0, 1, 20.0, 30.0, 40.0]
    assert len(data["rows"]["running_train_loss"]) == 4 * 4


def test_of_many_seeds_curves_have_a_mean_and_a_band() -> None:
    plan, table = synthetic(configurations=2, seeds=11)
    for position in range(11):
        table["epochs"][position][0]["validation_accuracy"] = position / 10
    data = rows_of(page_of(plan, table), "rates")
    assert data["banded"]
    assert data["rows"]["validation_accuracy"][0] == [0, 1, 50.0, 0.0, 100.0]


def test_a_fall_of_the_learning_rate_is_marked_and_coinciding_curves_are_dashed() -> None:
    plan, table = synthetic(configurations=2)
    for epochs in table["epochs"][:3]:
        epochs[2]["learning_rate"] = epochs[3]["learning_rate"] = 0.0001
    for column in ("final.test.top1", "final.test.loss"):
        table.loc[3:, column] = table[column][:3].tolist()
    page = page_of(plan, table)
    curves = rows_of(page, "rates")["curves"]
    assert [curve["jumps"] for curve in curves] == [[3], []]
    assert [curve["dash"] for curve in curves] == [[1, 0], [6, 3]]
    text = Text(page).text
    assert "“learning rate 0.001” and “learning rate 0.002” are the same experiment" in text
    assert "A triangle marks where the learning rate falls at once." in text


def test_long_curves_are_thinned_and_large_studies_cut_and_the_page_says_so() -> None:
    page = page_of(*synthetic(configurations=MOST + 3, seeds=2, epochs=3 * POINTS))
    text = Text(page).text
    assert f"Of longer curves, {POINTS} epochs are shown." in text
    assert f"Shown are the best {MOST}; 3 are left out here" in text
    rows = rows_of(page, "rates")["rows"]["validation_loss"]
    assert len(rows) == MOST * POINTS
    assert {rows[0][1], rows[-1][1]} == {1, 3 * POINTS}


def test_where_models_fail_is_what_the_records_say() -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    best = table.groupby("configuration")["final.test.top1"].mean().idxmax()
    matrix = np.eye(10, dtype=int) * 90
    matrix[3, 5] = matrix[5, 5] = 10
    table["final.test.confusion"] = [matrix.tolist()] * 4
    text = Text(page_of(plan, table)).text
    assert "Where models fail (cifar10)" in text
    assert f"lenet5, {plan.studies[0].labels[best]}: d → “f” 10 % of d images" in text
    assert text.count("Confusion matrix of") == 2
    assert "calibration-cifar10 (" in text


def test_pictures_say_what_each_configuration_answered() -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    keys = list(dict.fromkeys(run.configuration for run in plan.runs))
    picture = {"dataset": "cifar10", "image": 7, "label": 3, "wrong": 0.5, "png": b"PNG"}
    pictures = pd.DataFrame([{**picture, "answers": [3, 5], "configurations": keys}])
    page = page_of(plan, table, pictures=pictures)
    labels = plan.studies[0].labels
    text = Text(page).text
    assert "d , 50 % of runs wrong" in text
    assert f"d : lenet5, {labels[keys[0]]}" in text
    assert f"f : lenet5, {labels[keys[1]]}" in text
    assert "data:image/png;base64,UE5H" in page
    other = pictures.assign(configurations=[["another", "table"]])
    assert "Images that were hard" not in page_of(plan, table, pictures=other)


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
    assert latex.splitlines()[1] == "\\begin{tabular}{lllrrrrrrl}"
    for rule in ("\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"):
        assert latex.count(rule) == 1
    assert {line.count(" & ") for line in latex.splitlines() if "&" in line} == {9}
    assert latex.count("learning rate") == 6
    parameters = pd.read_parquet(tmp_path / "tables/configurations.parquet")["parameters"]
    assert f"{parameters[0]:.0f} " in (tmp_path / "tables/configurations.md").read_text()


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
    assert written("seconds", 1234.5) == "21 min"
    assert written("seconds", 99, 63, 70) == "70 s (63 to 99)"
    assert written("seconds", 4.2, 3.9) == "4.0 s (3.9 to 4.2)"
    assert written("seconds", 9000) == "2.5 h"
    assert written("parameters", 62006, 62006) == "62,006"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_the_picture_in_the_readme_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (REPOSITORY / "README.md").read_text()):
        assert (REPOSITORY / path).exists(), path


def test_the_picture_in_the_readme_shows_the_page_as_it_is_now() -> None:
    assert layout_of(REPOSITORY / ".github/report.png") == layout(), "take it again with `make picture`"
