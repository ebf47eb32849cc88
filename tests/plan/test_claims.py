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


def planned(folder: Path, *claims: Any) -> Plan:
    (folder / "claims.yaml").write_text(yaml.safe_dump({"claims": list(claims)}))
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


def test_cells_become_claims_that_share_what_is_said_once(tmp_path: Path) -> None:
    cells = [
        {"published": 0.5, "of": {"learning_rate": 0.001, "activation": "relu"}},
        {"published": 0.6, "of": {"learning_rate": 0.01}},
    ]
    plan = planned(tmp_path, {**CLAIM, "where": {"study": "rates"}, "tolerance": 0.01, "cells": cells})
    assert [claim.id for claim in plan.claims] == ["c-1", "c-2"]
    assert [claim.statement.published for claim in plan.claims] == [[0.5], [0.6]]
    assert plan.claims[1].says == "w: activation relu, learning rate 0.01"
    assert {claim.statement.tolerance for claim in plan.claims} == {0.01}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"order": [FAST, {**FAST, "study": "rate"}]}, "study: 'rate' is no study; did you mean 'rates'?"),
        ({"order": [FAST, {**FAST, "study": []}]}, "study: [] is no study; Allowed: rates"),
        ({"order": [FAST, {**FAST, "study": None}]}, "study: None is no study; Allowed: rates"),
        *(
            ({"cells": cells, "of": FAST}, f"cells: {cells!r} is not allowed: it must be a list of mappings")
            for cells in (None, [], 1, "x", {"published": 1}, [None], [[]], ["x"])
        ),
        ({"order": [FAST, {"study": "rates", "learning_rate": 0.5}]}, "means none; study 'rates' has "),
        ({"order": [FAST, SLOW]}, "means several: activation relu, learning rate 0.001; tanh;"),
        (
            {"order": [FAST, {**FAST, "learning_rat": 1}]},
            "learning_rat: unknown key; did you mean 'learning_rate'?",
        ),
        ({"order": [FAST]}, "order: [{'learning_rate': 0.01, 'study': 'rates'}] is not allowed"),
        ({}, "exactly one of 'of', 'order' and 'equal' is needed, not []"),
        ({"of": FAST}, "'of' needs the value that was 'published'"),
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
    assert len(plan.claims) > 70
    studies = {study.name: study for study in plan.studies}
    for claim in plan.claims:
        for quantity in claim.statement.quantities:
            assert quantity.configuration in studies[quantity.study].labels
    assert make_plan(config.model_copy(update={"max_epochs": 1})).claims == []
