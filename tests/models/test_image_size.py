"""Images of any size: data sets keep their own or are resized, models take what their layers allow."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import ReadOptions
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Request
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.models.measure import count_flops
from cifarbench.use.predictor import predictor
from helpers.training import engine_on, train


@pytest.mark.parametrize("side", [28, 33, 64])
@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_our_models_take_every_size_that_their_layers_allow(name: str, side: int) -> None:
    config = TrainConfig(model=name, width=0.25)
    if (name, side) == ("vgg16", 28):
        with pytest.raises(UserError, match=r"vgg16.py: forward\(\) fails in .* on images \(2, 3, 28, 28\)"):
            build_model(config, 10, side=side)
        return
    model = build_model(config, 10, side=side)
    assert model(torch.zeros(2, 3, side, side)).shape == (2, 10)


def test_a_size_that_leaves_nothing_is_told_with_what_it_was() -> None:
    with pytest.raises(UserError, match=r"on images \(2, 3, 32, 32\), resized to 16 pixels: RuntimeError"):
        build_model(TrainConfig(model="vgg16", width=0.25, image_size=16), 10)


def test_the_knob_resizes_before_the_model_sees_them() -> None:
    config = TrainConfig(model="lenet5", image_size=48)
    torch.manual_seed(0)
    model, images = build_model(config, 10).eval(), torch.rand(2, 3, 32, 32)
    torch.manual_seed(0)
    plain = build_model(TrainConfig(), 10, side=48).eval()
    assert model.state_dict().keys() == plain.state_dict().keys()
    larger = F.interpolate(images, (48, 48), mode="bilinear")
    assert torch.equal(model(images), plain(larger))
    assert count_flops(model) == count_flops(plain, 48) > 2 * count_flops(build_model(TrainConfig(), 10))
    smaller = build_model(TrainConfig(model="resnet20", width=0.25, image_size=16), 10).eval()
    seen: list[torch.Tensor] = []
    next(smaller.children()).register_forward_pre_hook(lambda _m, given: seen.extend(given))
    smaller(images)
    assert torch.equal(seen[0], F.interpolate(images, (16, 16), mode="bilinear", antialias=True))


def test_digits_at_their_own_size_are_the_real_ones() -> None:
    from sklearn.datasets import load_digits

    source = read_source("digits", Request(None, options=ReadOptions(image_size=8)))
    every = np.concatenate((source.train_images, source.test_images))
    assert every.shape == (1797, 3, 8, 8)
    real = (load_digits().images * (255 / 16)).round().astype(np.uint8)
    assert sorted(image[0].tobytes() for image in every) == sorted(image.tobytes() for image in real)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    folder = tmp_path / "data/small"
    call = ["normalise", "--name", "small", "--format", "digits", "--subset", "train=100,test=20"]
    assert main([*call, "--image-size", "20", "--output", str(folder)]) == 0
    return folder


def test_a_run_on_other_sizes_trains_and_classifies(small: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs/sized"
    record = train(small, folder, "--image-size", "40", "--validation-images", "10")
    assert (record.data.image_size, record.config.image_size) == (20, 40)
    assert record.fingerprint is not None
    ready = predictor("sized", tmp_path / "runs", small.parent)
    picture = np.zeros((1, 3, 20, 20), np.uint8)
    assert ready.probabilities(picture).shape == (1, 10)
    assert ready.model[0].weight.shape == (6, 3, 5, 5)
    assert ready.model[7].in_features == 16 * 7 * 7  # of 40 pixels


def test_augmentation_is_in_the_pixels_of_the_data_set(small: Path, fails: Callable[..., str]) -> None:
    engine = engine_on(small, TrainConfig(crop_padding=4, cutout=8, image_size=32))
    images, labels = engine.data.train.batch(slice(0, 4))
    assert engine.augment(images, labels, torch.arange(4))[0].shape == (4, 3, 20, 20)
    line = fails("train", "--data", small, "--output", small / "x", "--cutout", 21, "--validation-images", 10)
    assert "cutout: 21 is not allowed: nothing may be left of an image of 20 pixels" in line


def test_a_size_that_cannot_be_is_refused(tmp_path: Path, fails: Callable[..., str]) -> None:
    line = fails("normalise", "--name", "x", "--format", "digits", "--image-size", 4, "--output", tmp_path)
    assert "flags.image_size: '4' is not allowed" in line
    assert "image_size: '4' is not allowed" in fails("models", "lenet5", "--image-size", 4)
