"""The typed config: what it takes, what it refuses, and the one line that says why."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cifarbench.config.benchmark import locate, parse, read
from cifarbench.config.knobs import TrainConfig
from cifarbench.config.schema import json_schema
from cifarbench.data.catalogue import CATALOGUE
from cifarbench.errors import UserError
from cifarbench.models.catalogue import BUILTIN_MODELS, own_values
from cifarbench.plan.plan import make_plan
from helpers.repository import REPOSITORY

SHIPPED = sorted(str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("examples/**/*.yaml"))


def config_with(**run: object) -> dict[str, object]:
    return {"studies": [{"name": "s", "title": "S", "runs": [run]}]}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            config_with(lerning_rate=1),
            "study 's', runs[0].lerning_rate: unknown key; did you mean 'learning_rate'?",
        ),
        (
            config_with(learning_rate=-1),
            "study 's', runs[0].learning_rate: -1 is not allowed: input should be greater",
        ),
        (
            config_with(epochs="ten"),
            "study 's', runs[0].epochs: 'ten' is not allowed: input should be a valid integer",
        ),
        (config_with(learning_rate=float("nan")), "runs[0].learning_rate: nan is not allowed"),
        (
            config_with(optimizer="adamm"),
            "runs[0].optimizer: 'adamm' is not allowed: input should be 'sgd', 'rmsprop'",
        ),
        (
            config_with(epochs=[]),
            "study 's', runs[0].epochs: [] is not allowed: an axis needs at least one value",
        ),
        (config_with(seed=[0, 0]), "is there twice in this study; remove one"),
        (config_with(momentum=0.9), "momentum 0.9 has no effect with optimizer 'adam'; remove it, or choose"),
        (config_with(schedule="multistep"), "schedule 'multistep' needs milestones, for example [30, 80]"),
        (config_with(optimizer="sgd", nesterov=True), "nesterov True needs a momentum above 0"),
        (config_with(validation_images=0, report_epoch="best_validation"), "needs validation_images above 0"),
        (config_with(warmup_epochs=10), "warmup_epochs 10.0 must be below epochs 10; lower it"),
        (
            config_with(model="lenet"),
            "runs[0].model: 'lenet' is not known; did you mean 'lenet5'? Allowed: alexnet8",
        ),
        (
            config_with(model="resnet18", dropout=0.1),
            "dropout: 0.1 has no effect on model 'resnet18', which takes",
        ),
        (config_with(dataset="cifar"), "runs[0].dataset: 'cifar' is not known; did you mean 'cifar10'?"),
        ({}, "config.studies: missing; add it"),
        (["studies"], "config: ['studies'] is not allowed: it must be a mapping"),
        ({"studies": []}, "config.studies: [] is not allowed"),
        ({"studdies": []}, "config.studdies: unknown key; did you mean 'studies'?"),
        (
            {"studies": [{"name": "a b", "title": "", "runs": [{}]}]},
            "config.studies[0].name: 'a b' is not allowed",
        ),
        ({"studies": 2 * [{"name": "a", "title": "", "runs": [{}]}]}, "studies: two have the name 'a'"),
        (
            {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "https://h/x.zip"}]},
            "sha256 is missing; what comes from https://h/x.zip must be verified",
        ),
        ({**config_with(), "datasets": [{"name": "x", "format": "folder"}]}, "source is missing"),
        ({**config_with(), "datasets": [{"name": "digits", "source": "x"}]}, "digits come with scikit-learn"),
        (
            {**config_with(), "datasets": [{"name": "mine", "format": "foldr", "source": "x"}]},
            "datasets[0]: format: 'foldr' is not allowed; did you mean 'folder'? Allowed: cifar10",
        ),
        (
            {**config_with(), "datasets": [{"name": "cifar"}]},
            "format: missing; add it; did you mean 'cifar10'?",
        ),
        (
            {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "/dev/null"}]},
            "datasets[0]: /dev/null: is a pipe or device; set `source` to a folder or archive",
        ),
        (
            {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "s3://b/x.zip"}]},
            "source: 's3://b/x.zip' is not allowed: only http:// and https:// are downloaded",
        ),
    ],
)
def test_a_fault_is_one_line_with_place_and_value(data: object, line: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse(data))
    assert line in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_every_fault_of_a_config_has_its_line() -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse(config_with(epochs=0, batch_size=0)))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "study 's', runs[0].epochs",
        "study 's', runs[0].batch_size",
    ]


def test_a_missing_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.yaml: cannot be read as YAML: .*No such file"):
        read(tmp_path / "none.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("studies: [")
    with pytest.raises(UserError, match=r"broken.yaml: cannot be read as YAML: .*line 1"):
        read(broken)


def test_standard_input_is_read_and_checked_too(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("studies: ["))
    assert "-: cannot be read as YAML" in fails("plan", "-")
    monkeypatch.setattr("sys.stdin", io.StringIO("{titel: x, studies: [{name: a, title: A, runs: [{}]}]}"))
    assert "config.titel: unknown key; did you mean 'title'?" in fails("plan", "-")


def test_relative_paths_are_found_beside_the_config(tmp_path: Path) -> None:
    (tmp_path / "images.zip").touch()
    data = {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "images.zip"}]}
    [dataset] = locate(parse(data), [tmp_path / "elsewhere", tmp_path]).datasets
    assert dataset.source == str(tmp_path / "images.zip")


def test_the_schema_in_the_repository_is_current() -> None:
    stored = json.loads((REPOSITORY / "workflow/config.schema.json").read_text())
    assert stored == json_schema(CATALOGUE), "run `make schema`"


@pytest.mark.parametrize("path", ["config.yaml", *SHIPPED])
def test_shipped_configs_make_a_plan(path: str) -> None:
    file = REPOSITORY / path
    config = locate(parse(yaml.safe_load(file.read_text())), [file.parent])
    assert make_plan(config).runs


def test_conventions_fill_what_is_unset() -> None:
    # Keras' figures: https://keras.io/api/optimizers, initialisers and BatchNormalization.
    keras = TrainConfig(conventions="keras", optimizer="rmsprop")
    assert keras.resolved("optimizer_eps") == 1e-7
    assert keras.resolved("rho") == 0.9
    assert keras.resolved("batch_norm_eps") == 1e-3
    assert TrainConfig(conventions="keras", batch_norm_eps=0.1).resolved("batch_norm_eps") == 0.1
    assert TrainConfig(optimizer="sgd").resolved("optimizer_eps") is None


def test_the_batch_norm_of_our_models_is_the_installed_pytorchs() -> None:
    import torch

    norm = torch.nn.BatchNorm2d(1)
    ours = own_values(BUILTIN_MODELS["resnet18"])
    assert (ours["batch_norm_momentum"], ours["batch_norm_eps"]) == (norm.momentum, norm.eps)
