"""Models of torchvision and timm: names and arguments read from sources, building, training, resuming."""

import copy
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.models.libraries import LibraryModel, arguments, files_by_name, library_model
from cifarbench.plan.plan import make_plan
from cifarbench.records.verified import Verified
from cifarbench.sweep.verify import verify
from cifarbench.training.random_streams import draw_weights_of
from cifarbench.use.predictor import predictor
from helpers.training import engine_on, train

# One of each family, small, that takes 32 pixels.
TORCHVISION = (
    *("convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2"),
    *("mobilenet_v3_small", "regnet_y_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t"),
)
TIMM = (
    *("deit_tiny_patch16_224", "edgenext_xx_small", "ghostnet_050", "lcnet_050", "levit_128s"),
    *("mobilevit_xxs", "pit_ti_224", "test_byobnet", "test_convnext", "test_efficientnet", "test_mambaout"),
    *("test_nfnet", "test_resnet", "test_vit", "xcit_nano_12_p8_224"),
)
NEEDS_TIMM = pytest.mark.skipif(find_spec("timm") is None, reason="timm is an extra")
FAMILIES = [
    *(f"torchvision/{name}" for name in TORCHVISION),
    *(pytest.param(f"timm/{name}", marks=NEEDS_TIMM) for name in TIMM),
]


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of torchvision, on how GoogLeNet will draw its weights
@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_trains_two_steps_and_resumes_to_the_bit(name: str, few: Path) -> None:
    config = TrainConfig(model=name, batch_size=4)
    whole = engine_on(few, config)
    before = copy.deepcopy(whole.model.state_dict())
    whole.step(torch.arange(4))
    saved = copy.deepcopy(whole.state())
    whole.step(torch.arange(4, 8))
    assert any(not torch.equal(before[key], value) for key, value in whole.model.state_dict().items())

    resumed = engine_on(few, config.model_copy(update={"weights_seed": 1}))
    resumed.load(saved)
    resumed.step(torch.arange(4, 8))
    after = whole.model.state_dict()
    assert all(torch.equal(after[key], value) for key, value in resumed.model.state_dict().items())


def test_a_library_model_is_as_its_library_builds_it() -> None:
    from torchvision.models import get_model

    config = TrainConfig(model="torchvision/mobilenet_v3_small", model_args={"dropout": 0.4})
    draw_weights_of(config)
    ours = build_model(config, 7)
    draw_weights_of(config)
    theirs = get_model("mobilenet_v3_small", num_classes=7, dropout=0.4)
    assert all(torch.equal(ours.state_dict()[name], value) for name, value in theirs.state_dict().items())
    norms = [(m.eps, m.momentum) for m in ours.modules() if isinstance(m, nn.BatchNorm2d)]
    assert set(norms) == {(0.001, 0.01)}
    assert [m.p for m in ours.modules() if isinstance(m, nn.Dropout)] == [0.4]


def test_a_small_stem_keeps_all_pixels() -> None:
    def sides(name: str, stem: str | None) -> list[int]:
        model = build_model(TrainConfig(model=name, stem=stem), 10).eval()
        found: list[int] = []
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _m, _i, output: found.append(output.shape[-1]))
        model(torch.zeros(1, 3, 32, 32))
        return [found[0], found[1], found[-1]]

    assert sides("torchvision/resnet18", None) == [16, 8, 1]
    assert sides("torchvision/resnet18", "small") == [32, 32, 4]
    assert sides("torchvision/densenet121", "small") == [32, 32, 4]


def test_arguments_are_read_from_the_sources() -> None:
    def of(name: str) -> frozenset[str]:
        return arguments(library_model(name)) or frozenset()

    assert of("torchvision/mobilenet_v3_small") == {"block", "norm_layer", "dropout"}  # **kwargs are dropped
    assert of("torchvision/efficientnet_b0") >= {"dropout", "stochastic_depth_prob"}  # taken out of kwargs
    assert "num_classes" not in of("torchvision/resnet18")
    assert all(arguments(LibraryModel("torchvision", name)) for name in files_by_name("torchvision"))


@NEEDS_TIMM
def test_arguments_that_a_class_hands_on_are_its_bases() -> None:
    assert arguments(library_model("timm/deit_tiny_patch16_224")) is not None
    assert "img_size" in (arguments(library_model("timm/deit_tiny_distilled_patch16_224")) or ())


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        ({"model": "torchvision/resnet19"}, "did you mean 'torchvision/resnet18'?"),
        ({"model": "keras/resnet18"}, "before the / stands torchvision or timm"),
        (
            {"model_args": {"droput": 0.1}},
            "'droput' is no argument of torchvision/mobilenet_v3_small; did you",
        ),
        ({"model_args": {"num_classes": 3}}, "'num_classes' is not allowed: the data set decides it"),
        ({"model_args": {"weights": "DEFAULT"}}, "give a file as initial_weights"),
        ({"model_args": 3}, "model_args: 3 is not allowed: it must be a mapping"),
        ({"model_args": {"dropout": float("nan")}}, "model_args: {'dropout': nan} is not allowed"),
        ({"stem": "small"}, "stem: 'small' is not defined for torchvision/mobilenet_v3_small, only for"),
        (
            {"width": 2},
            "width: 2.0 has no effect on model 'torchvision/mobilenet_v3_small', which takes stem,",
        ),
        ({"initialization": "kaiming_uniform"}, "keeps the initial weights that its library gives it"),
        ({"model": "lenet5", "model_args": {"dropout": 0.1}}, "has no effect on model 'lenet5'"),
    ],
)
def test_what_is_wrong_is_told_by_the_plan(knobs: dict[str, object], line: str) -> None:
    run = {"model": "torchvision/mobilenet_v3_small", **knobs}
    with pytest.raises(UserError) as caught:
        make_plan(parse({"studies": [{"name": "s", "title": "T", "runs": [run]}]}))
    assert line in str(caught.value)
    assert str(caught.value).startswith("study 's', runs[0].")


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        (
            {"model": "torchvision/alexnet"},
            "torchvision/alexnet: forward() fails in evaluation mode on images",
        ),
        (
            {"model": "torchvision/resnext50_32x4d", "model_args": {"groups": 2}},
            "resnext50_32x4d: cannot be built: ValueError: The parameter 'groups' expected",
        ),
        (
            {"model": "torchvision/resnet18", "model_args": {"norm_layer": "none"}},
            "torchvision/resnet18: cannot be built: TypeError: ",
        ),
        pytest.param(
            {"model": "timm/resnet18d", "stem": "small"},
            "stem: 'small' is not defined for timm/resnet18d, which begins with several layers",
            marks=NEEDS_TIMM,
        ),
    ],
)
def test_what_only_building_tells_is_a_line(knobs: dict[str, object], line: str) -> None:
    with pytest.raises(UserError) as caught:
        build_model(TrainConfig(**knobs), 10)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plan_with_library_models_imports_neither_torch_nor_the_library() -> None:
    code = (
        "import sys; from cifarbench.plan.grid import config_of;"
        "config_of({'model': 'torchvision/resnet18', 'model_args': '{\"zero_init_residual\": true}'}, None);"
        "print(sorted({'torch', 'torchvision'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_arguments_are_part_of_the_id_however_they_are_written() -> None:
    def ids(*arguments: object, model: str = "torchvision/shufflenet_v2_x0_5") -> list[str]:
        runs = [{"model": model, "model_args": one} for one in arguments]
        study = {"name": "s", "title": "T", "runs": runs}
        return [run.id for run in make_plan(parse({"studies": [study]})).runs]

    [plain], [full] = ids(None), ids({"inverted_residual": None})
    assert plain.startswith("torchvision-shufflenet_v2_x0_5-")
    assert plain != full
    assert ids({}) == [plain]
    assert ids('{"inverted_residual": null}') == [full]
    assert "{" not in full
    axis = {
        "name": "s",
        "title": "T",
        "runs": [{"model": "torchvision/swin_t", "model_args": [{}, {"dropout": 0.1}]}],
    }
    assert list(make_plan(parse({"studies": [axis]})).studies[0].labels.values()) == [
        "torchvision/swin_t",
        'model args {"dropout": 0.1}',
    ]


def test_a_missing_library_is_told_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cifarbench.errors.find_spec", lambda name: None)
    files_by_name.cache_clear()
    with pytest.raises(UserError, match=r"timm is not installed; pip install 'cifarbench\[timm\]' brings it"):
        library_model("timm/convnext_atto")
    files_by_name.cache_clear()


def test_the_listing_of_a_library_has_sizes_or_why_not(
    capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    assert main(["models", "--library", "torchvision", "--search", "ale"]) == 0
    assert "torchvision/alexnet            -          -  forward() fails" in capsys.readouterr().out
    assert main(["models", "--library", "torchvision", "--search", "squeezenet1_1", "--classes", "1000"]) == 0
    assert "torchvision/squeezenet1_1    1,235,496        7.0" in capsys.readouterr().out
    assert "no model of torchvision has 'zz'" in fails("models", "--library", "torchvision", "--search", "zz")
    assert "needs --library torchvision or timm" in fails("models", "--search", "zz")
    assert "has no use beside --library" in fails("models", "lenet5", "--library", "timm")


def test_a_run_names_library_and_version_and_classifies(few: Path, tmp_path: Path) -> None:
    model = "torchvision/shufflenet_v2_x0_5"
    record = train(few, tmp_path / "runs/shuffle", "--model", model, "--validation-images", "10")
    assert record.code.model_sha256 == f"torchvision {version('torchvision').partition('+')[0]}"
    assert record.environment.versions["torchvision"] == version("torchvision")
    assert record.in_force["initialization"] is None
    assert record.fingerprint is not None
    [(_, found)] = verify([record], few.parent, BUILTIN_MODELS, Verified())
    assert found.outcome == "bits"
    shares = predictor("shuffle", tmp_path / "runs", few.parent).probabilities
    assert shares(torch.zeros(2, 3, 32, 32, dtype=torch.uint8).numpy()).shape == (2, 10)
