"""A plan as a file: it comes back as it was, older forms are read, and a broken one is one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from cifarbench.config.benchmark import parse
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import read_plan, write_plan
from helpers.claims import with_claims
from helpers.synthetic import synthetic


def plan_of_two_studies() -> Plan:
    rates = {"learning_rate": [0.1, 0.01], "seed": [3, 1]}
    runs = [{**rates, "model": "vgg16"}, {"label": "mine", "milestones": [3], "schedule": "multistep"}]
    studies = [
        {"name": "a", "title": "é", "runs": runs},
        {"name": "b", "title": "B", "runs": [{"model": "vgg16", "learning_rate": 0.01, "seed": [1, 2]}]},
    ]
    return make_plan(parse({"note": "a\nb", "studies": studies}))


@pytest.mark.parametrize("plan", [plan_of_two_studies(), with_claims(synthetic()[0])])
def test_a_plan_comes_back_from_its_file(tmp_path: Path, plan: Plan) -> None:
    write_plan(plan, tmp_path / "plan.json")
    assert read_plan(tmp_path / "plan.json") == plan


def test_the_file_says_each_configuration_once_and_its_seeds(tmp_path: Path) -> None:
    write_plan(plan_of_two_studies(), tmp_path / "plan.json")
    content = json.loads((tmp_path / "plan.json").read_text())
    assert list(content["configurations"].values()) == [
        {"model": "vgg16", "learning_rate": 0.1},
        {"model": "vgg16", "learning_rate": 0.01},
        {"schedule": "multistep", "milestones": [3]},
    ]
    seeds = [list(uses["seeds"]) for study in content["studies"] for uses in study["configurations"].values()]
    assert seeds == [[3, 1], [3, 1], [0], [1, 2]]


@pytest.mark.parametrize("version", [1, 2])
def test_the_long_form_that_came_before_is_read(tmp_path: Path, version: int) -> None:
    plan = plan_of_two_studies()
    long = {"schema_version": version, **plan.model_dump(mode="json")}
    (tmp_path / "plan.json").write_text(json.dumps(long))
    assert read_plan(tmp_path / "plan.json") == plan


def test_claims_of_the_form_that_came_before_are_left_out(tmp_path: Path) -> None:
    plan = with_claims(synthetic()[0])
    write_plan(plan, tmp_path / "plan.json")
    content = json.loads((tmp_path / "plan.json").read_text())
    content["claims"][0] = {"id": "o", "says": "w", "statement": {"tolerance": 0.1}, "artefact": None}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert read_plan(tmp_path / "plan.json").claims == plan.claims[1:]


def broken(content: dict[str, Any], how: str) -> str:
    key = next(iter(content["configurations"]))
    match how:
        case "version":
            content["schema_version"] = 99
        case "study":
            content["studies"][0]["configurations"]["other"] = {"label": "x", "seeds": [0]}
        case "data":
            content["datasets"] = []
        case "knob":
            content["configurations"][key]["learning_rate"] = "fast"
        case "label":
            content["studies"][0]["configurations"][key]["label"] = "a\x1b[2J"
        case "deep":
            return 10_000 * "["
    return json.dumps(content)


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("version", ".schema_version: 99 is not allowed: input should be 2"),
        ("study", ": study 'rates' needs configuration 'other', which is not there"),
        ("data", "needs data set 'cifar10', which is not there"),
        ("knob", ".learning_rate: 'fast' is not allowed: input should be a valid number"),
        ("label", r".label: 'a\x1b[2J' is not allowed: the control character '\x1b'"),
        ("deep", "Invalid JSON: recursion limit exceeded"),
    ],
)
def test_a_broken_plan_is_one_line(tmp_path: Path, how: str, line: str) -> None:
    path = tmp_path / "plan.json"
    write_plan(with_claims(synthetic()[0]), path)
    path.write_text(broken(json.loads(path.read_text()), how))
    with pytest.raises(UserError) as caught:
        read_plan(path)
    text = str(caught.value)
    assert text.startswith(str(path)) and line in text and "\n" not in text and text.isprintable()
    assert text.endswith("make it again with `cifarbench plan`)")


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"schema_version": 1}', '{"runs": []}', "\0"])
def test_what_is_no_plan_is_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)
