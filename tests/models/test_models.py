"""Models: parameter counts as published, shapes, gradients, knobs, and models of the user's own."""

from pathlib import Path

import pytest
import torch

from cifarbench.cli.parser import main
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS, model_knobs
from cifarbench.models.measure import count_flops, count_parameters, layer_table
from helpers.repository import REPOSITORY


@pytest.mark.parametrize(
    ("knobs", "total", "trainable"),
    [
        # The five published projects; the total counts BatchNorm's running mean and variance.
        ({"model": "baseline"}, 198_506, 198_494),
        ({"model": "lenet5"}, 62_006, 62_006),
        ({"model": "lenet5", "width": 3}, 548_878, 548_878),
        ({"model": "alexnet8"}, 9_639_178, 9_638_474),
        ({"model": "vgg16"}, 15_262_026, 15_253_578),
        ({"model": "vgg16", "classifier": "linear"}, 14_736_714, 14_728_266),
        ({"model": "resnet18"}, 11_183_562, 11_173_962),
        ({"model": "inception10"}, 121_418, 120_234),
        ({"model": "inception10", "batch_norm": "frozen"}, 121_418, 120_234),
        # He et al., 2016, table 6: 0.27, 0.46, 0.66, 0.85 and 1.7 million, without running statistics.
        ({"model": "resnet20"}, 271_098, 269_722),
        ({"model": "resnet32"}, 466_426, 464_154),
        ({"model": "resnet44"}, 661_754, 658_586),
        ({"model": "resnet56"}, 857_082, 853_018),
        ({"model": "resnet110"}, 1_736_058, 1_727_962),
        # Zagoruyko and Komodakis, 2016: 36.5 million; Huang et al., 2017: 0.8 million.
        ({"model": "wide_resnet"}, 36_497_146, 36_479_194),
        ({"model": "wide_resnet", "depth": 16, "width": 4}, 2_752_506, 2_748_890),
        ({"model": "densenet_bc"}, 793_150, 769_162),
        ({"model": "preact_resnet18"}, 11_179_978, 11_172_170),
        # https://github.com/davidcpage/cifar10-fast
        ({"model": "resnet9"}, 6_577_600, 6_573_120),
        # Jordan, 2024, section 3.1, without whitening: 1.97 million.
        ({"model": "airbench94"}, 1_975_096, 1_971_640),
    ],
)
def test_parameters_are_those_of_the_documents(knobs: dict[str, object], total: int, trainable: int) -> None:
    assert count_parameters(build_model(TrainConfig(**knobs), 10)) == (total, trainable)


@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_the_documents_have_every_model_with_its_size(name: str) -> None:
    model = build_model(TrainConfig(model=name), 10)
    row = f"| `{name}` | {count_parameters(model)[0]:,} | {count_flops(model) / 1e6:,.1f} |"
    assert row in (REPOSITORY / "docs/models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BUILTIN_MODELS)
@pytest.mark.parametrize("classes", [2, 100])
def test_every_model_trains_for_any_number_of_classes(name: str, classes: int) -> None:
    model = build_model(TrainConfig(model=name, width=1), classes).train()  # 1 spares ten-fold channels
    logits = model(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, classes)
    logits.square().sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)


def test_airbench94_has_no_opinion_before_its_first_step() -> None:
    """Its first outputs are of about a fifteenth of the last layer's inputs, as the original's are."""
    torch.manual_seed(0)
    outputs = build_model(TrainConfig(model="airbench94"), 10).train()(torch.randn(16, 3, 32, 32))
    assert outputs.std() < 0.2


@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_every_model_takes_its_knobs(name: str) -> None:
    values = {
        "width": 0.5,
        "depth": 16,
        "activation": "tanh",
        "conv_activation": False,
        "dropout": 0.3,
        "classifier": "linear",
    }
    knobs = model_knobs(BUILTIN_MODELS[name])
    model = build_model(TrainConfig(model=name, **{knob: values[knob] for knob in knobs}), 10)
    kinds = {type(module) for module in model.modules()}
    assert torch.nn.Tanh in kinds
    assert torch.nn.ReLU not in kinds
    assert count_parameters(model)[0] < count_parameters(build_model(TrainConfig(model=name), 10))[0]
    rates = {module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == ({0.3} if "dropout" in knobs else set())


def test_no_activation_after_the_convolutions_of_lenet5() -> None:
    layers = [
        row[1].split("(")[0] for row in layer_table(build_model(TrainConfig(conv_activation=False), 10))
    ]
    assert layers[:3] == ["Conv2d", "Identity", "MaxPool2d"]
    assert layers.count("ReLU") == 2


def test_frozen_batch_norm_is_a_scale_and_shift_also_while_training() -> None:
    config = TrainConfig(model="baseline", batch_norm="frozen", conventions="keras")
    norm = build_model(config, 10).train()[1]
    images = torch.randn(8, 6, 4, 4) * 3 + 5
    # Keras' epsilon of 0.001; statistics stay 0 and 1.
    assert torch.allclose(norm(images), images / (1 + 1e-3) ** 0.5)
    assert norm.running_mean.eq(0).all()
    assert norm.running_var.eq(1).all()
    norm(images).sum().backward()
    assert norm.weight.grad is not None


def test_batch_norm_knobs_reach_every_layer() -> None:
    model = build_model(TrainConfig(model="resnet18", batch_norm_momentum=0.5, batch_norm_eps=0.25), 10)
    norms = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 20
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.5, 0.25)}


def test_keras_weights_are_glorot_uniform_with_zero_biases() -> None:
    torch.manual_seed(0)
    model = build_model(TrainConfig(conventions="keras"), 10)
    linear = next(module for module in model.modules() if isinstance(module, torch.nn.Linear))
    limit = (6 / (400 + 120)) ** 0.5
    assert 0.99 * limit < linear.weight.abs().max() <= limit
    assert all(p.eq(0).all() for name, p in model.named_parameters() if name.endswith("bias"))


def test_dirac_convolutions_pass_on_what_comes_in() -> None:
    torch.manual_seed(0)
    first = build_model(TrainConfig(initialization="dirac", model="resnet20"), 10)[0]
    images = torch.randn(2, 3, 8, 8)
    assert torch.allclose(first(images)[:, :3], images)
    torch.manual_seed(0)
    plain = build_model(TrainConfig(model="resnet20"), 10)[0]
    assert torch.equal(first.weight[3:], plain.weight[3:])


def test_flops_are_two_per_multiply_add() -> None:
    multiply_adds = 28**2 * 6 * 75 + 10**2 * 16 * 150 + 400 * 120 + 120 * 84 + 84 * 10
    assert count_flops(build_model(TrainConfig(), 10)) == 2 * multiply_adds


def test_the_listing_has_every_model_and_its_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    listing = capsys.readouterr().out
    for name in BUILTIN_MODELS:
        assert f"\n{name} " in listing
    assert "15,262,026   15,253,578     627.5" in listing


def test_the_layer_table_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "lenet5", "--width", "3"]) == 0
    table = capsys.readouterr().out
    assert "Conv2d(3, 18, kernel_size=(5, 5), stride=(1, 1))" in table
    assert "548,878 parameters, 548,878 trainable, 7.5 MFLOPs" in table
    rows = layer_table(build_model(TrainConfig(model="inception10"), 10))
    assert sum(row[3] for row in rows) == 121_418


OWN = '''"""A model of one layer."""
from torch import nn

def build(classes: int, *, {signature}) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, {outputs}))
'''


def own(path: Path, signature: str = "width: float = 1.0", outputs: str = "classes") -> Path:
    path.write_text(OWN.format(signature=signature, outputs=outputs))
    return path


def test_a_model_of_ones_own_is_built_from_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", str(own(tmp_path / "flat.py"))]) == 0
    assert "30,730 parameters" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (OWN.format(signature="layers: int = 1", outputs="classes"), "keyword 'layers' is not allowed"),
        (
            OWN.format(signature="width: float", outputs="classes"),
            "keyword 'width' is not allowed: give it a literal",
        ),
        (
            OWN.format(signature="width: float = 1.0", outputs="7"),
            "output of shape (2, 7) in evaluation mode; it must be a tensor of shape (2, 10)",
        ),
        ("x = 1", "has no function build(classes, *, ...); see examples/own-model"),
        ("def build(:", "cannot be read as a model"),
    ],
)
def test_a_bad_model_file_is_refused(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        build_model(TrainConfig(model="bad"), 10, path)
    assert str(path) in str(caught.value)
    assert line in str(caught.value)
