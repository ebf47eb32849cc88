"""The typed config: what it takes, what it refuses, and the one line that says why."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cifarbench.config.benchmark import locate, parse
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
            "study 's', runs[0].lerning_rate: unknown key; did you mean 'learning_rate'? "
            f"`cifarbench train --help` lists all {len(TrainConfig.model_fields)}",
        ),
        (
            config_with(learning_rate=-1),
            "study 's', runs[0].learning_rate: -1 is not allowed: input should be greater",
        ),
        (
            config_with(epochs="ten"),
            "study 's', runs[0].epochs: 'ten' is not allowed: input should be a valid integer",
        ),
        (
            config_with(milestones=30),
            "runs[0].milestones: 30 is not allowed: input should be a list, as [30]",
        ),
        (
            config_with(lr=0.1),
            "runs[0].lr: unknown key; did you mean 'learning_rate'? `cifarbench train --help",
        ),
        (config_with(ema=0.9), "runs[0].ema: unknown key; did you mean 'ema_decay'?"),
        (
            config_with(subset={"train": 5}),
            "runs[0].subset: unknown key here; it belongs to an entry of `datas",
        ),
        (config_with(target_accuracy=[0.9]), "target_accuracy: unknown key here; it belongs to a study"),
        (
            {"epochs": 3, "studies": [{"name": "s", "title": "", "runs": [{}]}]},
            "config.epochs: unknown key here; it belongs to `defaults`, or an entry of `runs`",
        ),
        (
            {"models": ["net.py"], "studies": [{"name": "s", "title": "", "runs": [{}]}]},
            "config.models[0]: 'net.py' is not allowed: input should be a mapping, such as {name: value}",
        ),
        (config_with(dataset="CIFAR10"), "runs[0].dataset: 'CIFAR10' is not known; did you mean 'cifar10'?"),
        (config_with(model="torchvision"), "wide_resnet; or one of a library, as torchvision/resnet18"),
        (config_with(mixup=True), "runs[0].mixup: True is not allowed: input should be a number"),
        (
            config_with(rand_augment=[9, True]),
            "runs[0].rand_augment: True is not allowed: input should be a num",
        ),
        (
            config_with(flip="alternate"),
            "runs[0].flip: 'alternate' is not allowed: input should be true, false or 'alternating'",
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
        (
            config_with(rand_augment=9, trivial_augment=True),
            "trivial_augment True do the same twice; choose one",
        ),
        (
            config_with(rand_augment_operations=3),
            "rand_augment_operations 3 has no effect with rand_augment 0",
        ),
        (
            config_with(muon_norm="fixed"),
            "muon_norm 'fixed' has no effect with optimizer 'adam'; remove it, or",
        ),
        (config_with(schedule="multistep"), "schedule 'multistep' needs milestones, for example [30, 80]"),
        (
            config_with(schedule="multistep", milestones=[[30, 10]], epochs=40),
            "milestones (30, 10) must rise, each once; put them in order",
        ),
        (
            config_with(schedule="multistep", milestones=[[2, 8]], warmup_epochs=3),
            "milestones (2, 8) has one before warm-up ends, at 3.0, where it has no effect; move it",
        ),
        (
            config_with(schedule="multistep", milestones=[[5]], gamma=1),
            "gamma 1.0 has no effect",
        ),
        (
            config_with(batch_norm="frozen", batch_norm_momentum=0.5),
            "batch_norm_momentum 0.5 has no effect with batch_norm 'frozen'; remove it, or choose batch_norm",
        ),
        (config_with(cuda_graph="yes please"), "cuda_graph"),
        (config_with(early_stop=3, validation_images=0), "early_stop 3 needs validation_images above 0"),
        (config_with(early_stop=10), "early_stop 10 must be below epochs 10; lower it"),
        (config_with(mixup=1, cutmix=1), "mixup 1.0 and cutmix 1.0 cannot both mix; choose one"),
        (
            config_with(mixup=1, loss="mean_squared_error_index"),
            "loss 'mean_squared_error_index' takes a class",
        ),
        (config_with(crop_padding=32), "runs[0].crop_padding: 32 is not allowed: nothing may be left of an"),
        (config_with(crop_border="reflect"), "crop_border 'reflect' has no effect with crop_padding 0"),
        (config_with(decay_on="matrices"), "decay_on 'matrices' has no effect with weight_decay 0"),
        (
            config_with(decay_share=0.5),
            "decay_share 0.5 has no effect with schedule 'none'",
        ),
        (config_with(optimizer="sgd", nesterov=True), "nesterov True needs a momentum above 0"),
        (config_with(validation_images=0, report_epoch="best_validation"), "needs validation_images above 0"),
        (config_with(warmup_epochs=10), "warmup_epochs 10.0 must be below epochs 10; lower it"),
        (
            config_with(model="lenet"),
            "runs[0].model: 'lenet' is not known; did you mean 'lenet5'? Allowed: airbench94",
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
        (
            {"studies": 2 * [{"name": "a", "title": "", "runs": [{}]}]},
            "studies[1].name: 'a' is not allowed",
        ),
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
            {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "http://[b/x.zip"}]},
            "datasets[0]: source: 'http://[b/x.zip' is no address: Invalid IPv6 URL; correct it",
        ),
        (
            {**config_with(), "datasets": [{"name": "x", "format": "folder", "source": "s3://b/x.zip"}]},
            "source: 's3://b/x.zip' is not allowed: only http:// and https:// are downloaded",
        ),
        (
            {
                **config_with(),
                "datasets": [{"name": "x", "format": "folder", "source": "https://h/x.RAR?a=1"}],
            },
            "source: 'https://h/x.RAR?a=1' is not allowed: only .tar, .tar.gz, .tar.bz2, .tar.xz or .zip",
        ),
    ],
)
def test_a_fault_is_one_line_with_place_and_value(data: object, line: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse(data))
    assert line in str(caught.value)
    assert "pydantic" not in str(caught.value)


def names(kind: str, *given: str) -> dict[str, object]:
    entries = {
        "studies": lambda name: {"name": name, "title": "", "runs": [{"seed": len(name)}]},
        "datasets": lambda name: {"name": name, "format": "digits"},
        "models": lambda name: {"name": name, "file": "x.py"},
    }
    return {**config_with(), kind: [entries[kind](name) for name in given]}


@pytest.mark.parametrize("kind", ["studies", "datasets", "models"])
@pytest.mark.parametrize("second", ["mine", "Mine", "MINE"])
def test_two_of_a_kind_cannot_have_one_name(kind: str, second: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse(names(kind, "mine", "other", second)))
    assert str(caught.value).startswith(
        f"{kind}[2].name: {second!r} is not allowed: there is 'mine' in {kind}[0]"
    )


@pytest.mark.parametrize(
    ("kind", "name"), [("models", "lenet5"), ("models", "LeNet5"), ("datasets", "Cifar10")]
)
def test_what_comes_with_the_package_keeps_its_name(kind: str, name: str) -> None:
    with pytest.raises(UserError, match=rf"{kind}\[0\].name: '{name}' is not allowed: .* comes with"):
        make_plan(parse(names(kind, name)))


def test_a_data_set_may_be_a_copy_of_a_known_one() -> None:
    config = {**config_with(), "datasets": [{"name": "cifar10", "source": "/copy/cifar-10-python.tar.gz"}]}
    assert make_plan(parse(config)).datasets[0].source == "/copy/cifar-10-python.tar.gz"


@pytest.mark.parametrize("name", ["-x", "a.b", "a/b", "é", "", "a" * 41, "..", "a b", "a{b}"])
def test_a_name_is_a_plain_word(name: str) -> None:
    with pytest.raises(UserError, match=r"studies\[0\].name: .* is not allowed"):
        parse(names("studies", name))


@pytest.mark.parametrize("place", ["title", "note", "claims"])
@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\0b", "a\ud800b", "a\u202eb", "a\rb", "a\x9bb", "\x7f"])
def test_no_control_character_comes_from_a_config(place: str, text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse({**config_with(), place: text})
    assert str(caught.value).startswith(f"config.{place}: {text!r} is not allowed: ")
    assert str(caught.value).isprintable()


def test_what_any_language_is_written_in_may_stand_in_a_title() -> None:
    title = "دقة\u200f — ResNet$_{18}$, 精度, é\u0301, 👩\u200d🔬 <b>&amp;\nsecond line\t100 %"
    assert parse({**config_with(), "title": title}).title == title


@pytest.mark.parametrize(
    ("path", "why"), [("a" * 256, "too long"), ("a/" * 2500, "too long"), ("a\nb", "line break"), ("", "")]
)
def test_a_path_is_one_that_a_file_system_could_have(path: str, why: str) -> None:
    with pytest.raises(UserError, match=rf"datasets\[0\].source: .* is not allowed: .*{why}"):
        parse({**config_with(), "datasets": [{"name": "x", "format": "folder", "source": path}]})


@pytest.mark.parametrize("kind", ["models", "claims"])
@pytest.mark.parametrize("path", ["a{b}.py", "${HOME}/x", "{run}", "<results>/x", "a>b"])
def test_an_input_that_snakemake_would_fill_in_is_refused(kind: str, path: str) -> None:
    value = [{"name": "mine", "file": path}] if kind == "models" else path
    with pytest.raises(UserError, match="is not allowed: Snakemake fills in what stands in"):
        make_plan(parse({**config_with(), kind: value}))


@pytest.mark.parametrize("path", ["results/runs.parquet", "./reports/a", "results", "x/../results/a"])
def test_what_the_workflow_writes_is_no_source(path: str) -> None:
    with pytest.raises(UserError, match=r"datasets\[0\].source: .* the workflow itself writes there"):
        make_plan(parse({**config_with(), "datasets": [{"name": "x", "format": "folder", "source": path}]}))


def test_a_value_in_a_message_has_its_bounds() -> None:
    for value in (10**5000, "x" * 10**6, [[]] * 10**5):
        with pytest.raises(UserError) as caught:
            make_plan(parse(config_with(epochs=[value])))
        assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_every_fault_of_a_config_has_its_line() -> None:
    with pytest.raises(UserError) as caught:
        make_plan(parse(config_with(epochs=0, batch_size=0)))
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "study 's', runs[0].epochs",
        "study 's', runs[0].batch_size",
    ]


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
