"""Claims: each finds the one configuration that it means, and a wrong entry is one clear line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from cifarbench.config.benchmark import locate, parse
from cifarbench.config.reading import read
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan, make_plan
from helpers.repository import REPOSITORY

CLAIM = {"id": "c", "source": "s", "says": "w", "metric": "test_accuracy"}
SLOW, FAST = {"study": "rates", "learning_rate": 0.001}, {"study": "rates", "learning_rate": 0.01}


def planned(folder: Path, *claims: Any, **parts: Any) -> Plan:
    (folder / "claims.yaml").write_text(yaml.safe_dump({"claims": list(claims), **parts}))
    runs = [{"learning_rate": [0.001, 0.01], "seed": [0, 1]}, {"label": "tanh", "activation": "tanh"}]
    study = {"name": "rates", "title": "Rates", "runs": runs}
    return make_plan(parse({"claims": str(folder / "claims.yaml"), "studies": [study]}))


def test_a_selector_finds_its_configuration_by_knobs_or_label(tmp_path: Path) -> None:
    # ReLU is LeNet-5's own activation, so that the runs leave it unset.
    order = [{**FAST, "activation": "relu"}, {"study": "rates", "label": "tanh"}]
    plan = planned(tmp_path, {**CLAIM, "order": order})
    [claim] = plan.claims
    found = [quantity.configuration for quantity in claim.statement.quantities]
    assert found == [plan.runs[2].configuration, plan.runs[4].configuration]
    assert claim.statement.kind == "order"


def test_an_order_may_have_places_for_several_and_be_one_of_several(tmp_path: Path) -> None:
    tanh = {"study": "rates", "label": "tanh"}
    slow, fast = ({**of, "activation": "relu"} for of in (SLOW, FAST))
    plan = planned(
        tmp_path,
        {**CLAIM, "order": [fast, [slow, tanh]]},
        {**CLAIM, "id": "d", "orders": [[fast, slow], [tanh, slow]], "margin": 0.1},
    )
    first, second = (claim.statement for claim in plan.claims)
    assert first.steps == [(0, 1), (0, 2)]
    assert second.steps == [(0, 1), (2, 3)]
    assert second.quantities[1] == second.quantities[3]
    assert (first.margin, second.margin) == (0, 0.1)


def test_margins_and_tolerances(tmp_path: Path) -> None:
    of = {"of": {**SLOW, "activation": "relu"}, "published": 0.5}
    entries = [{**CLAIM, **of, "id": str(n), **own} for n, own in enumerate(({}, {"margin": 0.1}))]
    entries += [{**CLAIM, **of, "id": str(t), "tolerance": t} for t in (0.01, [0, 0.01])]
    claims = planned(tmp_path, *entries, margins={"test_accuracy": 0.02}).claims
    assert [claim.statement.margin for claim in claims] == [0.02, 0.1, 0.02, 0.02]
    assert [claim.statement.tolerance for claim in claims[2:]] == [(0.01, 0.01), (0, 0.01)]


def test_an_explanation_takes_what_it_does_not_say_from_its_claim(tmp_path: Path) -> None:
    where = {"study": "rates", "activation": "relu"}
    order = [{"learning_rate": 0.01}, {"learning_rate": 0.001}]
    explained = {"because": "b", "without": {"metric": "test_loss"}}
    reversed_ = {"because": "b", "with": {"order": order[::-1]}}
    plan = planned(
        tmp_path,
        {**CLAIM, "where": where, "order": order, "explanation": explained},
        {**CLAIM, "id": "d", "where": where, "order": order, "explanation": reversed_},
    )
    first, second = (claim.explanation for claim in plan.claims)
    assert first is not None
    assert second is not None
    assert [quantity.metric for quantity in first.statement.quantities] == ["test_loss"] * 2
    assert first.role == "without"
    assert second.role == "with"
    labels = [quantity.label for quantity in plan.claims[0].statement.quantities]
    assert [quantity.label for quantity in second.statement.quantities] == labels[::-1]


TABLE = {
    "id": "t",
    "source": "P, t",
    "title": "T",
    "where": {"study": "rates", "activation": "relu"},
    "columns": ["train_accuracy", "test_accuracy"],
    "rows": [
        {"of": {"learning_rate": 0.001}, "published": [0.6, 0.5]},
        {"of": {"learning_rate": 0.01}, "published": [None, 0.55], "label": "fast"},
    ],
}


def test_a_published_table_finds_the_configuration_of_each_row(tmp_path: Path) -> None:
    table = {**TABLE, "tolerance": {"test_accuracy": 0.005}}
    plan = planned(tmp_path, tables=[table], margins={"test_accuracy": 0.02})
    [found] = plan.tables
    assert [row.label for row in found.rows] == ["activation relu, learning rate 0.001", "fast"]
    first, second = (row.cells for row in found.rows)
    assert second[0] is None
    assert [cell.published for cell in first if cell] == [0.6, 0.5]
    assert [cell.margin for cell in first if cell] == [0, 0.02]
    assert [cell.tolerance for cell in first if cell] == [(0, 0), (0.005, 0.005)]
    assert second[1] is not None
    assert second[1].quantity.configuration == plan.runs[2].configuration


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"tables": [TABLE, TABLE]}, "two tables have the id 't'; give each its own"),
        ({"tables": [{**TABLE, "columns": ["test_accuracy"]}]}, "rows[0]: has 2 figures for 1 columns"),
        ({"tables": [{**TABLE, "base": 2}]}, "tables[0].base: 2 is not allowed: there are 2 rows, from 0"),
        (
            {"tables": [{**TABLE, "columns": ["accuracy"]}]},
            "columns[0]: 'accuracy' is not allowed",
        ),
        *(({name: 1}, f"{name}: 1 is not allowed: it must be a list") for name in ("tables", "copies")),
        ({"margins": [1]}, "margins: [1] is not allowed: it must be a mapping"),
        ({"tables": [{**TABLE, "rows": [{"of": {}, "published": [None, None]}]}]}, "has no figure"),
        ({"tables": ["t"]}, "tables[0]: 't' is not allowed: a table is a mapping"),
        ({"margins": {"accuracy": 0.1}}, "margins.accuracy: unknown metric; did you mean"),
        ({"margins": {"test_loss": 0}}, "margins.test_loss: 0 is not allowed: a number above 0"),
        ({"copies": [{"what": "a copy"}]}, "copies[0].images_sha256: missing; add it"),
        ({"tabels": []}, "tabels: unknown key; did you mean 'tables'?"),
    ],
)
def test_wrong_parts_of_the_file_are_named(tmp_path: Path, parts: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        planned(tmp_path, **parts)
    assert line in str(error.value).splitlines()[0]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"order": [FAST, {**FAST, "study": "rate"}]}, "study: 'rate' is no study; did you mean 'rates'?"),
        ({"order": [FAST, {**FAST, "study": []}]}, "study: [] is no study; Allowed: rates"),
        ({"order": [FAST, {**FAST, "study": None}]}, "study: None is no study; Allowed: rates"),
        *(
            ({"order": order}, "is not allowed")
            for order in ([FAST], [FAST, []], 1, "x", [[FAST], None], [[[]], FAST])
        ),
        ({"orders": [[FAST, SLOW], [FAST]]}, "orders[1]: "),
        ({"order": [FAST, {"study": "rates", "learning_rate": 0.5}]}, "means none; study 'rates' has "),
        ({"order": [FAST, SLOW]}, "means several: activation relu, learning rate 0.001; tanh;"),
        (
            {"order": [FAST, {**FAST, "learning_rat": 1}]},
            "learning_rat: unknown key; did you mean 'learning_rate'?",
        ),
        ({"order": [FAST]}, "order: [{'learning_rate': 0.01, 'study': 'rates'}] is not allowed"),
        ({}, "exactly one of 'of', 'order', 'orders', 'equal', 'no_gain', 'above' is needed, not []"),
        ({"of": FAST}, "'of' needs the value that was 'published'"),
        ({"above": [FAST]}, "'above' needs the value that was 'published'"),
        (
            {"of": FAST, "published": 0.5, "explanation": {"because": "b"}},
            "explanation: needs 'because' and one of 'without' and 'with', a mapping, not ['because']",
        ),
        (
            {"of": FAST, "published": 0.5, "explanation": {"because": "b", "with": {"of": {"study": "r"}}}},
            "explanation.with.study: 'r' is no study",
        ),
        (
            {"of": FAST, "published": 1.0, "metric": "accuracy"},
            "metric: 'accuracy' is not allowed: it is no metric; did you mean",
        ),
        (
            {"order": [FAST, {**FAST, "epoch": 1}], "metric": "calibration_error"},
            "epoch: 1 is not allowed: calibration_error is known at the end of training only; known at each ",
        ),
        ({"of": {**FAST, "epoch": 31}, "published": 0.5}, "epoch: 31 is not allowed: 'activation relu"),
        (
            {"of": {**FAST, "epoch": -31}, "published": 0.5},
            "trains for 10, and test_accuracy takes at least 1",
        ),
        ({"of": {**FAST, "epoch": 0}, "published": 0.5}, "epoch: 0 is not allowed"),
        (
            {"of": {**FAST, "epoch": 1}, "published": 0.5, "metric": "loss_swing"},
            "epoch: 1 is not allowed: 'activation relu, learning rate 0.01' trains for 10, and loss_swing",
        ),
        ({"of": FAST, "publishd": 1.0}, "publishd: unknown key; did you mean 'published'?"),
    ],
)
def test_a_wrong_claim_is_named(tmp_path: Path, changes: dict[str, Any], line: str) -> None:
    with pytest.raises(UserError) as error:
        planned(tmp_path, {**CLAIM, **changes})
    assert line in str(error.value)
    assert str(error.value).startswith(f"{tmp_path}/claims.yaml, claims[0]")
    assert "\n" not in str(error.value)


def test_two_claims_of_one_id_and_a_file_without_claims(tmp_path: Path) -> None:
    claim = {**CLAIM, "published": 0.5, "of": FAST}
    with pytest.raises(UserError, match="two claims have the id 'c'"):
        planned(tmp_path, claim, claim)
    with pytest.raises(UserError, match=r"claims\[0\]: 'none' is not allowed: a claim is a mapping"):
        planned(tmp_path, "none")
    (tmp_path / "list.yaml").write_text("[]")
    study = {"name": "a", "title": "A", "runs": [{}]}
    with pytest.raises(UserError, match="must be a mapping with the key 'claims'"):
        make_plan(parse({"claims": str(tmp_path / "list.yaml"), "studies": [study]}))


def test_every_shipped_claim_is_about_runs_of_the_shipped_config() -> None:
    config = locate(parse(read(REPOSITORY / "config.yaml")), [REPOSITORY])
    plan = make_plan(config)
    assert len(plan.claims) > 30
    assert sum(len(row.cells) for table in plan.tables for row in table.rows) == 125 + 23
    studies = {study.name: study for study in plan.studies}
    for claim in plan.claims:
        explained = claim.explanation.statement.quantities if claim.explanation else []
        for quantity in [*claim.statement.quantities, *explained]:
            assert quantity.configuration in studies[quantity.study].labels
    assert make_plan(config.model_copy(update={"max_epochs": 1})).claims == []
