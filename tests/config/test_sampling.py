"""Distributions of knobs: what is drawn, and what is refused."""

import math
from typing import Any

import pytest
from scipy import stats

from cifarbench.config.benchmark import parse
from cifarbench.config.sampling import distribution
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan, make_plan


def plan_of(study: str = "search", **entry: Any) -> Plan:
    entry = {"dataset": "digits", **entry}
    return make_plan(parse({"studies": [{"name": study, "title": "S", "runs": [entry]}]}))


def drawn(kind: str, given: Any, times: int = 2000) -> list[Any]:
    one = distribution({kind: given}, "here")
    return [one.draw("study", "knob", number) for number in range(times)]


def test_numbers_are_drawn_as_their_distribution_says() -> None:
    assert stats.kstest(drawn("uniform", [-1, 3]), stats.uniform(-1, 4).cdf).pvalue > 0.01
    logs = [math.log10(value) for value in drawn("log_uniform", ["1e-5", 1])]
    assert stats.kstest(logs, stats.uniform(-5, 5).cdf).pvalue > 0.01
    for values in (drawn("int", [3, 6]), drawn("choice", [3, 4, 5, 6])):
        counts = [values.count(value) for value in (3, 4, 5, 6)]
        assert sum(counts) == 2000 and stats.chisquare(counts).pvalue > 0.01


def test_numbers_are_short_and_stay_within_their_ends() -> None:
    values = drawn("log_uniform", [0.0001, 0.1])
    assert all(0.0001 <= value <= 0.1 and value == float(f"{value:.4g}") for value in values)


def test_draws_are_the_same_for_ever() -> None:
    assert drawn("log_uniform", [0.0001, 0.1], 3) == [0.06103, 0.000576, 0.02132]


def test_more_samples_contain_the_fewer_and_another_study_draws_others() -> None:
    space: dict[str, Any] = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}, "seed": [0, 1]}
    few, many = ([run.id for run in plan_of(samples=n, **space).runs] for n in (30, 40))
    assert len(few) == 60 and len(many) == 80
    assert many[:60] == few
    assert not set(few) & {run.id for run in plan_of("other", samples=30, **space).runs}


def test_what_else_is_drawn_changes_no_draw() -> None:
    rate = {"learning_rate": {"log_uniform": [1e-4, 1e-1]}, "samples": 5}
    alone = plan_of(**rate).runs
    grid = plan_of(**rate, model=["lenet5", "baseline"], weight_decay={"uniform": [0, 0.5]}).runs
    rates = [run.config.learning_rate for run in alone]
    assert [run.config.learning_rate for run in grid if run.config.model == "baseline"] == rates


def test_arguments_of_a_librarys_model_can_be_chosen() -> None:
    choice = {"choice": [{"dropout": 0.1}, {"dropout": 0.3}]}
    runs = plan_of(model="torchvision/mobilenet_v3_small", model_args=choice, samples=9).runs
    assert {run.config.model_args for run in runs} == {'{"dropout": 0.1}', '{"dropout": 0.3}'}


def test_draws_that_coincide_are_one_run() -> None:
    [study] = plan_of(batch_size={"int": [8, 11]}, samples=50).studies
    assert len(study.runs) == 4
    assert study.drawn == {"batch_size": "int"}


def test_a_list_knob_is_drawn_as_a_list() -> None:
    plan = plan_of(schedule="multistep", milestones={"choice": [[1], [1, 2]]}, epochs=3, samples=20)
    assert {run.config.milestones for run in plan.runs} == {(1,), (1, 2)}


def test_labels_name_what_is_drawn() -> None:
    [study] = plan_of(label="mine", weight_decay={"choice": [0.25]}, samples=1).studies
    assert list(study.labels.values()) == ["mine, weight decay 0.25"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ({"learning_rate": {"loguniform": [1, 2]}, "samples": 2}, r"learning_rate: .* mean 'log_uniform'\?"),
        (
            {"batch_size": {"uniform": [16, 64]}, "samples": 2},
            "batch_size.uniform: .* is a whole number; draw it by int, or by choice",
        ),
        ({"seed": {"int": [0, 5]}, "samples": 2}, "seed: .*'int'.* is not allowed: give seeds, as"),
        ({"learning_rate": {}, "samples": 2}, r"learning_rate: \{\} is no distribution"),
        ({"learning_rate": {"int": [1, 2], "choice": [1]}, "samples": 2}, "is no distribution"),
        ({"learning_rate": {"log_uniform": [0, 1]}, "samples": 2}, "two numbers above 0"),
        ({"learning_rate": {"log_uniform": [-1, 1]}, "samples": 2}, "two numbers above 0"),
        ({"learning_rate": {"uniform": [2, 1]}, "samples": 2}, "the smaller one first"),
        ({"learning_rate": {"uniform": [1, 1]}, "samples": 2}, "the smaller one first"),
        ({"learning_rate": {"uniform": [1]}, "samples": 2}, "two numbers"),
        ({"learning_rate": {"uniform": [1, 2, 3]}, "samples": 2}, "two numbers"),
        ({"learning_rate": {"uniform": 1}, "samples": 2}, "two numbers"),
        ({"learning_rate": {"uniform": ["a", "b"]}, "samples": 2}, "two numbers"),
        ({"learning_rate": {"uniform": [0, math.inf]}, "samples": 2}, "two numbers"),
        ({"learning_rate": {"uniform": [0, math.nan]}, "samples": 2}, "two numbers"),
        ({"batch_size": {"int": [1.5, 2]}, "samples": 2}, "two whole numbers"),
        ({"learning_rate": {"choice": []}, "samples": 2}, "at least one value"),
        ({"learning_rate": {"choice": [[0.1], 0.2]}, "samples": 2}, r"choice: \[0.1\] is not allowed"),
        ({"learning_rate": {"uniform": [0.1, 0.2]}}, "learning_rate is drawn, but not how often"),
        ({"samples": 2}, "samples: 2 is not allowed: nothing is drawn"),
        ({"learning_rate": {"uniform": [0.1, 0.2]}, "samples": 0}, "samples: 0 is not allowed"),
        ({"learning_rate": {"uniform": [0.1, 0.2]}, "samples": 10**6}, "1,000,000 runs are asked for"),
        ({"momentum": {"uniform": [2, 3]}, "optimizer": "sgd", "samples": 1}, r"momentum: 2\.\d+ is not"),
        ({"dropout": {"uniform": [0, 0.5]}, "samples": 1}, "has no effect on model 'lenet5'"),
    ],
)
def test_what_cannot_be_drawn_is_a_line(entry: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError, match=line):
        plan_of(**entry)
