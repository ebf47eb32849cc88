"""The page: a pure function of plan and table, true to them in every state of the sweep."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from cifarbench.plan import Plan
from cifarbench.report import render
from cifarbench.report.results import over_seeds
from cifarbench.report.words import listed, spread
from conftest import REPOSITORY
from synthetic import synthetic
from test_verdicts import with_claims


def page_of(plan: Plan, table: pd.DataFrame, folder: Path) -> str:
    render(plan, table, folder)
    return (folder / "index.html").read_text(encoding="utf-8")


class Text(HTMLParser):
    """Collects ids and the text that a reader sees, and demands that tags are balanced."""

    VOID = ("meta", "br", "path", "use", "rect", "link")

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
    addresses = set(re.findall(r"(?:https?:)?//[\w./-]+", page))
    assert {a for a in addresses if "www.w3.org" not in a} == set()
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert scripts == [(REPOSITORY / "workflow/cifarbench/report/page.js").read_text()]
    assert page.count("<script") == 1


def test_the_same_results_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Rendered twice in separate processes, in other time zones, languages and hash seeds."""
    plan, table = synthetic()
    (tmp_path / "plan.json").write_text(plan.model_dump_json())
    table.to_parquet(tmp_path / "runs.parquet")
    pages = []
    for name, zone, language, seed in (("a", "UTC", "C", "1"), ("b", "Asia/Tokyo", "C.UTF-8", "2")):
        environment = {**os.environ, "TZ": zone, "LC_ALL": language, "PYTHONHASHSEED": seed}
        call = ["report", "plan.json", "runs.parquet", "--output", name]
        command = [sys.executable, "-m", "cifarbench", *call]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        pages.append((tmp_path / name / "index.html").read_bytes())
    assert pages[0] == pages[1]


def test_rendering_needs_no_torch() -> None:
    program = "import sys, cifarbench.report, cifarbench.collect; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_colour_of_a_curve_is_one_of_the_page(tmp_path: Path) -> None:
    page = page_of(*synthetic(), tmp_path)
    used = set(re.findall(r"var\((--curve-\d)\)", page))
    assert {"--curve-0", "--curve-3"} <= used
    assert all(f"{name}: light-dark(" in page for name in used)
    drawings = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.findall(r"(?:stroke|fill): #(?!ffffff)", drawings)


def test_names_are_escaped_everywhere(tmp_path: Path) -> None:
    evil = "<script>alert('$x_1$')</script>"
    plan, table = synthetic(classes=[evil, *"bcdefghij"], title=evil, question=evil)
    page = page_of(plan, table, tmp_path)
    assert page.count("<script") == 1  # our own
    assert evil in Text(page).text


def test_a_page_without_any_record(tmp_path: Path) -> None:
    plan, table = synthetic(status="missing")
    text = Text(page_of(plan, table, tmp_path)).text
    assert "None of the 12 planned runs has completed yet." in text
    assert "12 planned runs have not begun" in text
    assert plan.runs[0].id in text
    assert "Learning curves" not in text


@pytest.mark.parametrize("status", ["missing", "diverged"])
def test_a_page_with_some_records_says_what_is_left_out(tmp_path: Path, status: str) -> None:
    plan, table = synthetic(status={1: status, 11: status})
    text = Text(page_of(plan, table, tmp_path)).text
    assert "10 runs of 4 configurations" in text
    assert plan.runs[11].id in text
    assert {"missing": "2 planned runs have not begun", "diverged": "2 planned runs diverged"}[status] in text


def test_a_failed_run_shows_the_end_of_its_log_and_an_interrupted_one_waits(tmp_path: Path) -> None:
    plan, table = synthetic(status={1: "missing", 2: "missing", 3: "missing"})
    table.loc[1, "last_words"] = "Traceback\nRuntimeError: <oh>"
    table.loc[2, ["last_words", "interrupted"]] = ["epoch 3", True]
    text = Text(page_of(plan, table, tmp_path)).text
    assert "1 runs failed, or are under way" in text
    assert "RuntimeError: <oh>" in text
    assert f"snakemake --cores 1 results/runs/{plan.runs[1].id}/metrics.json" in text
    assert "1 planned runs were interrupted and saved themselves" in text
    assert "1 planned runs have not begun" in text


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
    assert "learning rate 0.008 is highest; not distinguishable from it: learning rate 0.004." in text
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
    section = page[page.index('id="cost"') :]
    front = re.findall(r"<li>learning rate ([\d.]+):", section[: section.index("</ol>")])
    assert front == ["0.001", "0.002", "0.008"]
    table.loc[0, "environment.device_name"] = "Another Processor"
    assert 'id="cost"' not in page_of(plan, table, tmp_path)


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
    assert "4 configurations are in both tables; 4 of them are worse here." in text


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


def test_a_hundred_classes_show_the_hardest(tmp_path: Path) -> None:
    plan, table = synthetic(classes=[f"class {n}" for n in range(100)])
    text = Text(page_of(plan, table, tmp_path)).text
    assert "Shown are the 20 hardest classes; 80 are left out." in text


def test_the_speed_is_shown_where_it_was_measured(tmp_path: Path) -> None:
    plan, table = synthetic()
    assert "naive loop" not in page_of(plan, table, tmp_path)
    rows = [
        {
            "model": "lenet5",
            "batch_size": 32,
            "way": way,
            "ratio": ratio,
            "ratio_quartiles": [1.0, ratio],
        }
        for way, ratio in (("naive", 1.0), ("float32", 3.25), ("bfloat16", 4.5))
    ]
    render(plan, table, tmp_path, {"rows": rows, "threads": 2, "rounds": 3})
    page = (tmp_path / "index.html").read_text()
    assert "lenet5, batch 32 4.5 times" in page
    assert "quartiles of 3 rounds in turn, 2 threads" in Text(page).text


def test_words() -> None:
    assert over_seeds([0.5, 0.7]).half == pytest.approx(12.7062 * 0.1, rel=1e-5)
    assert spread(over_seeds([0.5, 0.7, 0.6]), "accuracy") == "60.0 ± 24.8 %"
    assert spread(over_seeds([1234.5]), "seconds") == "1,234.5 s"
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"


def test_the_picture_in_the_readme_is_there() -> None:
    for path in re.findall(r"!\[[^]]*\]\(([^)]+)\)", (REPOSITORY / "README.md").read_text()):
        assert (REPOSITORY / path).exists(), path
