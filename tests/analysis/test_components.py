"""Variance components of a crossed study, by hand and by simulation."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from cifarbench.analysis.components import components, floor, taken_apart, within_cells
from cifarbench.analysis.results import Results
from cifarbench.analysis.stats import image_floor
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.report.answer import summary
from cifarbench.report.contrasts import finding
from cifarbench.report.section import all_sections
from helpers.synthetic import row


def crossed(values: np.ndarray, *others: dict[str, object]) -> Results:
    """Return runs of each weights seed (row) with each order seed (column), and those of other studies."""
    axes = {"weights_seed": list(range(len(values))), "order_seed": list(range(values.shape[1]))}
    noise = {"name": "n", "title": "N", "runs": [{**axes, "epochs": 2}]}
    plan: Plan = make_plan(parse({"studies": [noise, *others]}))
    rows = [row(plan, place, "completed", list("abcdefghij")) for place in range(len(plan.runs))]
    found = {(run.config.weights_seed, run.config.order_seed): place for place, run in enumerate(plan.runs)}
    table = pd.json_normalize(rows, sep=".")
    for place in product(*axes.values()):
        table.loc[found[place], "final.test.top1"] = values[place]
    return Results(plan, table)


def test_components_by_hand() -> None:
    # Rows 2 points apart, columns 1, and nothing else.
    [study] = crossed(np.array([[0.50, 0.51], [0.52, 0.53]])).studies
    assert study.study.is_crossed
    assert components(study.configurations) == pytest.approx((0.0002, 0.00005, 0, 0), abs=1e-12)
    assert "80 % come from the initial weights, 20 % from the order" in finding(study)
    # Means of rows and of columns are equal: residuals of a point each, 4e-4 over one degree of freedom.
    assert taken_apart(np.array([[0.50, 0.52], [0.52, 0.50]])) == pytest.approx((0, 0, 0.0004, 0), abs=1e-12)


def test_components_are_right_on_average() -> None:
    random = np.random.default_rng(0)
    deviations = np.array([0.02, 0.01, 0.005])
    found = []
    for _ in range(1000):
        shapes = ((6, 1), (1, 6), (6, 6))
        parts = (random.normal(0, d, shape) for d, shape in zip(deviations, shapes, strict=True))
        found.append(taken_apart(0.6 + sum(parts)))
    assert np.mean(found, 0)[:3] == pytest.approx(deviations**2, rel=0.1)


def test_several_seeds_of_a_cell_tell_what_else_the_seed_draws() -> None:
    """Unequally many, too: a cell has one to three runs."""
    random = np.random.default_rng(0)
    deviations = np.array([0.02, 0.01, 0.005, 0.008])
    found = []
    for _ in range(1000):
        shapes = ((6, 1), (1, 6), (6, 6))
        parts = (random.normal(0, d, shape) for d, shape in zip(deviations, shapes, strict=False))
        truth = 0.6 + sum(parts)
        seeds = [random.normal(0, deviations[3], 1 + n % 3) for n in range(truth.size)]
        cells = [value + noise for value, noise in zip(truth.ravel(), seeds, strict=True)]
        means = np.array([cell.mean() for cell in cells]).reshape(truth.shape)
        found.append(taken_apart(means, *within_cells(cells)))
    assert np.mean(found, 0) == pytest.approx(deviations**2, rel=0.15)


def test_what_is_not_crossed_wholly_is_not_taken_apart() -> None:
    results = crossed(np.full((2, 2), 0.5))
    partly = Results(results.plan, results.table.iloc[:3])
    [study] = partly.studies
    assert components(study.configurations) is None
    assert "not every weights seed was trained with every order seed yet" in finding(study)


def test_the_floor_of_images_by_hand() -> None:
    correct = np.array([[1, 1, 0, 0], [1, 0, 0, 1]], bool)  # rates 1, 1/2, 0, 1/2: the sum is 1/2, times 2/1
    assert image_floor(correct) == pytest.approx(1 / 16)


def test_the_page_says_the_floor_where_there_are_predictions() -> None:
    results = crossed(np.array([[0.50, 0.51], [0.52, 0.53]]))
    images = int(results.table["final.test.images"].iloc[0])
    right = np.random.default_rng(0).random((4, images)) < 0.5
    packed = [np.packbits(run).tobytes() for run in right]
    [study] = Results(
        results.plan, results.table.assign(correct=packed, **{"final.test.images": images})
    ).studies
    assert floor(study.configurations) == pytest.approx(image_floor(right))
    assert "Images that were right or wrong by themselves would make" in finding(study)


def test_a_lucky_draw_of_weights_and_order_does_not_lead() -> None:
    rates = {
        "name": "r",
        "title": "R",
        "runs": [{"learning_rate": [0.01, 0.02], "seed": [0, 1, 2], "epochs": 2}],
    }
    results = crossed(np.full((3, 3), 0.99), rates)
    best, *_ = results.contenders["cifar10"]
    assert best.first("config.learning_rate") in (0.01, 0.02)
    assert len(results.contenders["cifar10"]) == 2
    said = summary(results)
    assert said[-2] == "Left out of this are single draws of weights and order, of which one is lucky."
    alone = crossed(np.full((3, 3), 0.99))
    assert len(alone.contenders["cifar10"]) == 9
    assert not any("Left out" in sentence for sentence in summary(alone))


def test_a_crossed_study_is_answered_by_single_runs_and_is_no_search() -> None:
    results = crossed(np.random.default_rng(0).normal(0.6, 0.01, (3, 3)))
    assert answers(results) == ["yes"]
    assert answers(Results(results.plan, results.table.iloc[:8])) == ["not yet"]
    assert "search" not in {section.block for section in all_sections(results)}


def answers(results: Results) -> list[str]:
    [section] = [section for section in all_sections(results) if section.block == "progress"]
    return [row.answer for row in section.content["rows"]]
