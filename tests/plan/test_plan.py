"""From config to runs: grids, ids that stay, runs shared between studies, flags that come back."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifarbench.cli.parser import parser
from cifarbench.config.benchmark import parse
from cifarbench.config.flags import chosen_knobs, flags
from cifarbench.config.ids import configuration_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.plan.grid import config_of, expand_grid
from cifarbench.plan.plan import Plan, make_plan, summary


def plan_of(*studies: list[dict[str, object]], **config: object) -> Plan:
    named = [{"name": f"s{i}", "title": "", "runs": runs} for i, runs in enumerate(studies)]
    return make_plan(parse({"studies": named, **config}))


def test_a_list_is_an_axis_and_axes_multiply() -> None:
    grid = expand_grid({"epochs": [1, 2], "model": "lenet5", "seed": [0, 1, 2]}, "here")
    assert len(grid) == 6
    assert grid[1] == {"epochs": 1, "model": "lenet5", "seed": 1}


def test_a_list_knob_is_a_value_and_a_list_of_lists_an_axis() -> None:
    assert len(expand_grid({"milestones": [30, 80]}, "here")) == 1
    assert [g["milestones"] for g in expand_grid({"milestones": [[30], [80]]}, "here")] == [[30], [80]]


def test_a_run_that_two_studies_need_is_planned_once() -> None:
    plan = plan_of([{"learning_rate": [0.1, 0.01]}], [{"learning_rate": 0.01, "epochs": [10, 20]}])
    assert len(plan.runs) == 3
    assert len(set(plan.studies[0].runs) & set(plan.studies[1].runs)) == 1


def test_the_nearest_defaults_win() -> None:
    study = {"name": "s", "title": "", "defaults": {"epochs": 2}, "runs": [{}, {"epochs": 3}]}
    plan = make_plan(parse({"defaults": {"epochs": 1, "batch_size": 7}, "studies": [study]}))
    assert [(run.config.epochs, run.config.batch_size) for run in plan.runs] == [(2, 7), (3, 7)]


def test_ids_do_not_change() -> None:
    """Records are found by these ids: should this fail, published results would be trained again."""
    assert configuration_id(TrainConfig()) == "lenet5-44136fa3"
    [run] = plan_of(
        [{"model": "vgg16", "learning_rate": 0.01, "milestones": [3], "schedule": "multistep"}]
    ).runs
    assert run.id == "vgg16_learning_rate=0.01_milestones=3_schedule=multistep-ad538be7-s0"


def test_all_seeds_of_a_configuration_share_its_id() -> None:
    runs = plan_of([{"seed": [0, 7]}]).runs
    assert {run.configuration for run in runs} == {"lenet5-44136fa3"}
    assert [run.id for run in runs] == ["lenet5-44136fa3-s0", "lenet5-44136fa3-s7"]


def test_saying_what_holds_anyway_is_the_same_run() -> None:
    said = plan_of([{"model": "alexnet8", "dropout": 0.5, "optimizer_eps": 1e-8, "batch_norm_eps": 1e-5}])
    assert said.runs[0].id == plan_of([{"model": "alexnet8"}]).runs[0].id


def test_what_varies_is_found_and_names_the_configurations() -> None:
    [study] = plan_of([{"model": ["lenet5", "vgg16"], "learning_rate": [0.1, 0.01], "seed": [0, 1]}]).studies
    assert study.varied == ["model", "learning_rate"]
    assert list(study.labels.values()) == [
        "lenet5, learning rate 0.1",
        "lenet5, learning rate 0.01",
        "vgg16, learning rate 0.1",
        "vgg16, learning rate 0.01",
    ]
    [study] = plan_of(
        [{"model": ["baseline", "lenet5"]}, {"model": "alexnet8", "width": 0.5, "flip": [False, True]}]
    ).studies
    assert study.varied == ["model", "width", "flip"]
    assert list(study.labels.values()) == [
        "baseline",  # its name says its own width, and that nothing flips
        "lenet5",
        "alexnet8, width 0.5, flip false",
        "alexnet8, width 0.5, flip true",
    ]
    [study] = plan_of([{"epochs": [1, 2]}]).studies
    assert list(study.labels.values()) == ["epochs 1", "epochs 2"]
    [study] = plan_of([{"activation": [None, "tanh"], "flip": [True]}]).studies
    assert list(study.labels.values()) == ["activation relu", "activation tanh"]


@given(
    learning_rate=st.floats(1e-12, 1e3),
    width=st.none() | st.floats(0.01, 64),
    milestones=st.lists(st.integers(1, 99), min_size=1, max_size=20, unique=True).map(sorted),
    flip=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_flags_give_the_same_config_and_ids_are_plain_short_paths(
    learning_rate: float, width: float | None, milestones: list[int], flip: bool, seed: int
) -> None:
    knobs = {
        "learning_rate": learning_rate,
        "width": width,
        "milestones": [milestones],
        "flip": flip,
        "seed": seed,
    }
    [run] = plan_of([{**knobs, "schedule": "multistep"}]).runs
    given_flags = ["train", "--data", "d", "--output", "o", *flags(run.config)]
    again = config_of(chosen_knobs(parser(given_flags).parse_args(given_flags)), None)
    assert again == run.config
    assert re.fullmatch(r"[A-Za-z0-9._=+-]+", run.id)
    assert len(f"results/runs/{run.id}/predictions.safetensors") < 150


def test_an_entry_may_name_its_runs() -> None:
    runs = [{"label": "plain"}, {"label": "long", "epochs": [20, 30], "seed": [0, 1]}]
    [study] = plan_of(runs).studies
    assert list(study.labels.values()) == ["plain", "long, epochs 20", "long, epochs 30"]


@pytest.mark.parametrize("label", [["a", "b"], {"a": 1}, True, "", "  ", "a\x1bb"])
def test_a_label_is_text(label: object) -> None:
    with pytest.raises(UserError) as caught:
        plan_of([{"label": label}])
    assert str(caught.value).startswith(f"study 's0', runs[0].label: {label!r} is not allowed: ")


def test_a_label_may_be_a_number_or_left_empty() -> None:
    [study] = plan_of([{"label": 2020}, {"label": None, "epochs": 1}, {"label": 0.5, "epochs": 2}]).studies
    assert list(study.labels.values()) == ["2020", "epochs 1", "0.5"]


@pytest.mark.parametrize(
    "runs",
    [
        [{"label": "a"}, {"label": "a", "epochs": 2}],
        [{"label": "a b"}, {"label": " a  b", "epochs": 2}],
        [{"label": "epochs 2"}, {"epochs": 2}],
        [{"label": "a", "epochs": [1, 2]}, {"label": "a, epochs 1", "epochs": 3}],
    ],
)
def test_two_configurations_of_a_study_cannot_have_one_label(runs: list[dict[str, object]]) -> None:
    with pytest.raises(UserError, match=r"study 's0': .* is the label of two configurations, lenet5"):
        plan_of(runs)
    assert plan_of(runs[:1], runs[1:])  # in two studies they can


def test_a_configuration_has_one_label_for_all_its_seeds() -> None:
    with pytest.raises(UserError, match="'a' and 'b' are labels of one configuration, lenet5-"):
        plan_of([{"label": "a", "seed": 0}, {"label": "b", "seed": 1}])
    for runs in ([{"label": "a"}, {"seed": 1}], [{"seed": 1}, {"label": "a"}]):
        [study] = plan_of(runs).studies
        assert list(study.labels.values()) == ["a"]


def test_labels_tell_values_that_differ_late() -> None:
    [study] = plan_of([{"learning_rate": [0.1, 0.1000001, 1e-7]}]).studies
    rates = ["learning rate 0.1", "learning rate 0.1000001", "learning rate 1e-07"]
    assert list(study.labels.values()) == rates


@pytest.mark.parametrize("axes", [{"seed": 1000, "epochs": 1001}, {"seed": 200_000}])
def test_a_grid_is_counted_before_it_is_built(axes: dict[str, int]) -> None:
    grid = {name: list(range(1, size + 1)) for name, size in axes.items()}
    number = f"{math.prod(axes.values()):,}"
    with pytest.raises(UserError, match=f"studies: {number} runs are asked for, and max_runs is 100,000"):
        plan_of([grid])
    with pytest.raises(UserError, match="6 runs are asked for, and max_runs is 5"):
        plan_of([{"seed": [0, 1]}], [{"seed": [0, 1, 2, 3]}], max_runs=5)
    assert len(plan_of([{"seed": list(range(6))}], max_runs=6).runs) == 6


def test_a_grid_of_any_size_is_counted() -> None:
    nonsense = {f"knob{n}": [0, 1] for n in range(20_000)}
    with pytest.raises(UserError, match="more than 1,000,000,000,000,000 runs are asked for"):
        plan_of([nonsense])


def test_a_plan_says_what_it_asks_for_in_proper_words() -> None:
    assert summary(plan_of([{}], title="T")) == (
        "T: 1 study, 1 distinct run\n  s0: 1 configuration, 1 run; varies nothing but the seed"
    )
    assert summary(plan_of([{}], [{"epochs": [1, 2], "flip": [True, False]}], title="T")) == (
        "T: 2 studies, 5 distinct runs\n"
        "  s0: 1 configuration, 1 run; varies nothing but the seed\n"
        "  s1: 4 configurations, 4 runs; varies flip and epochs"
    )


def test_a_benchmark_cut_short_trains_no_run_for_longer_and_says_so() -> None:
    runs = [{"epochs": [1, 5, 10], "seed": [0, 1]}, {"epochs": 10, "warmup_epochs": 5, "schedule": "cosine"}]
    plan = make_plan(parse({"max_epochs": 2, "studies": [{"name": "a", "title": "A", "runs": runs}]}))
    assert [run.config.epochs for run in plan.runs] == [1, 1, 2, 2, 2]
    assert plan.runs[-1].config.warmup_epochs == 1
    early = {"epochs": 10, "early_stop": 5}
    [run] = make_plan(
        parse({"max_epochs": 2, "studies": [{"name": "a", "title": "A", "runs": [early]}]})
    ).runs
    assert TrainConfig.model_validate(run.config.model_dump()).early_stop == 0
    assert plan.note.startswith("Cut short: every run that is longer was trained for 2 epochs only")
