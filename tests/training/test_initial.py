"""Weights that the training images give: they whiten patches, stay as they are, and fit the layer."""

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, load
from cifarbench.errors import UserError
from cifarbench.training.initial import initial_model, whiten
from helpers.repository import SMALL
from helpers.training import train

KNOBS = {**SMALL, "model": "airbench94", "width": 0.1, "whitening": True}


@pytest.fixture
def data(digits: Path) -> Data:
    return load(digits, TrainConfig(**KNOBS), torch.device("cpu"))


def test_whitened_patches_are_uncorrelated_and_of_one_size(data: Data) -> None:
    model, _ = initial_model(TrainConfig(**KNOBS), data, None)
    images = data.scale(data.train.batch(slice(None))[0])
    filters = model[0].weight.detach()
    assert torch.equal(filters[12:], -filters[:12])
    out = F.conv2d(images, filters[:12]).double().transpose(0, 1).flatten(1)
    moments = out @ out.T / out.shape[1]
    patches = F.unfold(images, 2).double().transpose(0, 1).flatten(1)
    variances = torch.linalg.eigvalsh(patches @ patches.T / patches.shape[1]).flip(0).clamp(min=0)
    expected = variances / (variances + 5e-4)  # 1, but for directions in which hardly anything varies
    assert torch.allclose(moments, expected.diag(), atol=1e-4)
    assert expected[0] > 0.999
    assert model[0].bias.requires_grad


def test_the_whitening_layer_stays_and_its_bias_trains(digits: Path, tmp_path: Path, data: Data) -> None:
    from safetensors.torch import load_file

    record = train(digits, tmp_path, "--model", "airbench94", "--width", "0.1", "--whitening", "true")
    weights = load_file(tmp_path / "weights.safetensors")
    before, _ = initial_model(record.config, data, None)
    assert torch.equal(weights["0.weight"], before[0].weight)
    assert not torch.equal(weights["0.bias"], before[0].bias)
    assert record.model.trainable_parameters < record.model.parameters


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)), "a convolution, and this model has none"),
        (nn.Conv2d(3, 10, 3), "a first convolution of 54 filters, .*; this model's has 10; remove it"),
    ],
)
def test_a_model_that_cannot_whiten_is_refused(model: nn.Module, line: str, data: Data) -> None:
    with pytest.raises(UserError, match=f"whitening: True needs {line}"):
        whiten(model, data)
