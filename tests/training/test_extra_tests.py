"""Tests of a result on other data sets with the same classes."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file

from cifarbench.analysis.table import records_in
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.errors import UserError
from cifarbench.plan.plan import make_plan
from cifarbench.records.metrics import METRICS
from cifarbench.sweep.jobs import Training
from cifarbench.training import extra_tests
from cifarbench.training.pack import is_current
from helpers.training import train

HELD_OUT = ("--validation-images", "10")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder with digits to train on, and two parts of them to test on."""
    for name, subset in (("one", "train=100,test=20"), ("two", "train=60,test=30"), ("all", "")):
        call = ["normalise", "--name", name, "--format", "digits", *(["--subset", subset] if subset else [])]
        assert main([*call, "--output", str(tmp_path / "data" / name)]) == 0
    return tmp_path / "data"


def test_the_record_and_its_table_have_the_accuracy_on_each(data: Path, tmp_path: Path) -> None:
    record = train(data / "one", tmp_path / "runs/x", *HELD_OUT, "--extra-tests", "two,all")
    plain = train(data / "one", tmp_path / "runs/y", *HELD_OUT)
    same = [load_file(tmp_path / f"runs/{run}/weights.safetensors") for run in "xy"]
    assert all(same[0][name].equal(same[1][name]) for name in same[0])
    two, everything = record.final.extra_tests
    assert (two.name, two.images) == ("two", 90)  # its test part was drawn, so that all of it counts
    assert (everything.name, everything.images) == ("all", 1797)
    assert record.final.extra_top1 == pytest.approx((two.top1 + everything.top1) / 2)
    assert two.top1 * 90 == pytest.approx(round(two.top1 * 90))
    assert plain.final.extra_top1 is None
    assert plain.configuration != record.configuration
    table = pd.json_normalize([{**record.model_dump(mode="json"), "status": "completed"}], sep=".")
    assert METRICS["shifted_accuracy"].of(table.iloc[0].to_dict()) == record.final.extra_top1
    table.to_parquet(tmp_path / "runs.parquet")
    assert records_in(pd.read_parquet(tmp_path / "runs.parquet")) == [record]


def test_images_that_belong_together_have_an_accuracy_of_their_own(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, groups = data / "two/manifest.json", {"fog/1": 10, "fog/2": 20}
    manifest = json.loads(path.read_text(encoding="utf-8"))
    record = train(data / "one", tmp_path / "runs/x", *HELD_OUT, "--extra-tests", "two")
    whole = {**manifest, "test_was_drawn": False, "test_groups": groups}
    path.write_text(json.dumps(whole), encoding="utf-8")
    monkeypatch.setattr(extra_tests, "PIECE", 7)  # fewer than a group has
    grouped = train(data / "one", tmp_path / "runs/y", *HELD_OUT, "--extra-tests", "two,all")
    [test, other] = grouped.final.extra_tests
    assert [(group.name, group.images) for group in test.groups] == list(groups.items())
    assert test.images == 30 and other.groups == []
    right = [group.top1 * group.images for group in test.groups]
    assert right == pytest.approx([round(count) for count in right])
    assert test.top1 * 30 == pytest.approx(sum(right))
    path.write_text(json.dumps({**whole, "test_groups": {}}), encoding="utf-8")
    at_once = train(data / "one", tmp_path / "runs/z", *HELD_OUT, "--extra-tests", "two")
    assert at_once.final.extra_tests[0].top1 == test.top1

    # In one table with a record from before there were groups.
    rows = [{**one.model_dump(mode="json"), "status": "completed"} for one in (record, grouped)]
    del rows[0]["final"]["extra_tests"][0]["groups"]
    pd.json_normalize(rows, sep=".").to_parquet(tmp_path / "runs.parquet")
    assert records_in(pd.read_parquet(tmp_path / "runs.parquet")) == [record, grouped]


def test_a_plan_makes_them_and_each_training_waits_for_them() -> None:
    run = {"dataset": "cifar10_jpeg", "extra_tests": ["cifar10", "mine"], "seed": [0, 1]}
    mine = {"name": "mine", "format": "folder", "source": "x.zip"}
    plan = make_plan(parse({"datasets": [mine], "studies": [{"name": "s", "title": "T", "runs": [run]}]}))
    assert [dataset.name for dataset in plan.datasets] == ["cifar10", "cifar10_jpeg", "mine"]
    assert len(plan.runs) == 2
    manifests = Training(plan.runs, {}).of_extra_tests("manifest.json")
    assert manifests == ["data/cifar10/manifest.json", "data/mine/manifest.json"]


def test_a_result_on_other_images_is_no_current_one(data: Path, tmp_path: Path) -> None:
    record = train(data / "one", tmp_path / "run", *HELD_OUT, "--extra-tests", "two")
    assert is_current(tmp_path / "run", data / "one", record.config, None)
    call = ["normalise", "--name", "two", "--format", "digits", "--subset", "train=70,test=30"]
    assert main([*call, "--output", str(data / "two")]) == 0
    assert not is_current(tmp_path / "run", data / "one", record.config, None)


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        (["nowhere"], "runs[0].extra_tests: 'nowhere' is not known"),
        (["cifar10"], "has a data set that is tested on anyway"),
        (["digits", "digits"], "has a data set that is tested on anyway"),
    ],
)
def test_what_is_wrong_is_told_by_the_plan(extra: list[str], line: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse({"studies": [{"name": "s", "title": "T", "runs": [{"extra_tests": extra}]}]}))
    assert line in str(caught.value)


def test_other_classes_or_sizes_are_refused(data: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    text = (data / "two/manifest.json").read_text(encoding="utf-8")
    (data / "two/manifest.json").write_text(text.replace('"9"', '"nine"'), encoding="utf-8")
    call = ["train", "--data", data / "one", "--output", tmp_path / "run", *HELD_OUT, "--extra-tests"]
    assert "'two' has not the classes of 'one', in their order (only one has 9, nine)" in fails(*call, "two")
    small = ["normalise", "--name", "small", "--format", "digits", "--image-size", "16"]
    assert main([*small, "--output", str(data / "small")]) == 0
    assert "'small' has images of 16 pixels, 'one' of 32; give both the same" in fails(*call, "small")
    assert "manifest.json: cannot be read" in fails(*call, "absent")
