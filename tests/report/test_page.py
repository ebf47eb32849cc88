"""The page: a pure function of plan and table, whole, and the same bytes everywhere."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from scipy import stats

from cifarbench.analysis.configuration import over_seeds
from cifarbench.cli.parser import main
from cifarbench.plan.stored import write_plan
from cifarbench.report import charts
from cifarbench.report.charts import library
from cifarbench.report.page import render, sha256
from cifarbench.report.words import spread
from cifarbench.words import listed
from helpers.page import Text, page_of
from helpers.picture import layout, layout_of
from helpers.repository import REPOSITORY
from helpers.synthetic import synthetic


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


def test_the_library_is_bundled_once_and_again_where_its_copy_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter((b"one\r\n", b"two", b"three"))
    monkeypatch.setattr(charts, "bundled_library", lambda: next(made))
    monkeypatch.setattr(charts, "user_cache_path", lambda _: tmp_path)
    assert [charts.kept_library() for _ in range(2)] == ["one\r\n"] * 2
    [kept] = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert [charts.kept_library() for _ in range(2)] == ["two"] * 2
    monkeypatch.setattr(charts, "user_cache_path", lambda _: kept)  # where no folder can be
    assert charts.kept_library() == "three"


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
