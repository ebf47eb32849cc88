"""Sections of the page: costs, claims, speed, curves, and where models fail."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cifarbench.bench.training import GPU_WAYS, WAYS
from cifarbench.plan.published_tables import Cell, Copy, PublishedTable, Row
from cifarbench.report.charts import POINTS
from cifarbench.report.page import render
from cifarbench.report.sections.studies import MOST
from helpers.claims import quantity, with_claims
from helpers.page import Text, page_of, rows_of
from helpers.synthetic import synthetic


def test_the_pareto_front_is_what_nothing_beats_in_both() -> None:
    plan, table = synthetic()
    by_rate = {0.001: (0.5, 1.0), 0.002: (0.7, 2.0), 0.004: (0.6, 3.0), 0.008: (0.8, 40.0)}
    table["final.test.top1"] = [by_rate[rate][0] for rate in table["config.learning_rate"]]
    table["seconds.train"] = [by_rate[rate][1] for rate in table["config.learning_rate"]]
    page = page_of(plan, table)
    (front,) = re.findall(r"<ol>(.*?)</ol>", page[page.index('id="cost"') :], re.DOTALL)
    assert re.findall(r"<li>lenet5, learning rate ([\d.]+):", front) == ["0.001", "0.002", "0.008"]
    assert 'data-chart="cost-parameters"' not in page  # all have as many


def test_a_front_says_in_what_it_is_not_sure() -> None:
    plan, table = synthetic(configurations=3)
    table["final.test.top1"] = [0.5, 0.501, 0.502, 0.6, 0.601, 0.602, 0.61, 0.5, 0.7]
    table["seconds.train"] = [1.0, 2.0, 3.0, 2.5, 4.0, 5.0, 10.0, 11.0, 12.0]
    text = Text(page_of(plan, table)).text
    first, second, third = (
        text[text.index("Best by training time") :].split(f"learning rate 0.00{n}: ")[1] for n in (1, 2, 4)
    )
    assert first.split(" at ")[1].startswith("2.0 s (1.0 to 3.0) lenet5, ")
    assert second.split(" at ")[1].startswith("4.0 s (2.5 to 5.0) (their times overlap)")
    told = "11 s (10 to 12) (not told apart in accuracy from the one before)"
    assert third.split(" at ")[1].startswith(told)


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


def test_a_claim_shows_both_values_of_two_seeds() -> None:
    plan, table = synthetic(configurations=2, seeds=2)
    table["final.test.top1"] = [0.39, 0.97, 0.5, 0.51]
    text = Text(page_of(with_claims(plan), table)).text
    claims = text[text.index("2 claims about") :]
    assert "39.0 and 97.0 %" in claims
    assert "50.0 and 51.0 %" in claims
    assert "68.0 %" not in claims


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


def test_figures_given_again_are_told_below_with_their_places_and_the_copy_of_the_images() -> None:
    plan, table = synthetic(configurations=1)
    table["data.images_sha256"] = "c" * 64
    table["final.test.top1"] = [0.50, 0.52, 0.54]
    cell = Cell(quantity=quantity(plan.runs[0].configuration), published=0.5, tolerance=(0, 0), margin=0.05)
    row = Row(label="r", cells=[cell])
    tables = [
        PublishedTable(id=name, source=f"P, {name}", title=name, columns=["test_accuracy"], rows=[row])
        for name in ("first", "second")
    ]
    copy = Copy(images_sha256="c" * 64, what="a copy", source="s", lower={"test_accuracy": 0.01})
    text = Text(page_of(plan.model_copy(update={"tables": tables, "copies": [copy]}), table)).text
    assert "Ours are on a copy, which may cost 1.0 points of test accuracy. No verdict turns on less." in text
    label = cell.quantity.label
    assert f"For {label}, P publishes 2 figures of test accuracy: 50.0 %, 50.0 %" in text
    assert f"which is not known to within 5.0 points; 5 seeds would decide. P, first: {label}; P, sec" in text


def test_a_baseline_is_compared() -> None:
    plan, table = synthetic()
    worse = table.assign(**{"final.test.top1": table["final.test.top1"] - 0.05})
    text = Text(page_of(plan, worse, baseline=table)).text
    assert "4 configurations in both tables, 4 different; 4 worse here." in text


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
    assert f"lenet5, {plan.studies[0].labels[best]}: d → “f” 10 % of images of d" in text
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
