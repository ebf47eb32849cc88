"""How images come to a training: held out by class, mapped, filtered, scaled."""

from pathlib import Path

import pytest
import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load, split_rows
from helpers.repository import SMALL

CPU = torch.device("cpu")


def test_the_validation_split_is_stratified_disjoint_and_by_its_own_seed(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    train_rows, held_out = set(data.train.rows.tolist()), set(data.validation.rows.tolist())
    assert len(held_out) == 200
    assert train_rows | held_out == set(range(1437))
    assert not train_rows & held_out
    counts = torch.bincount(data.validation.labels[data.validation.rows])
    assert counts.min() >= 19
    assert counts.max() <= 21
    other = split_rows(data.train.labels, TrainConfig(**SMALL, data_seed=1))[1]
    assert set(other.tolist()) != held_out
    same = split_rows(data.train.labels, TrainConfig(**SMALL, seed=5))[1]
    assert set(same.tolist()) == held_out


def test_images_are_mapped_not_copied(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    address = data.train.images.data_ptr()
    maps = Path("/proc/self/maps").read_text().splitlines()
    ranges = [(line.split()[0].split("-"), line) for line in maps if "images.safetensors" in line]
    assert any(int(low, 16) <= address < int(high, 16) for (low, high), _ in ranges)
    assert data.validation.images.data_ptr() == address


@pytest.mark.parametrize(("name", "changes"), [("gaussian", True), ("median", True), ("none", False)])
def test_denoising_filters_train_and_test(digits: Path, name: str, changes: bool) -> None:
    plain, filtered = (load(digits, TrainConfig(**SMALL, denoise=d), CPU) for d in ("none", name))
    for part in ("train", "test"):
        before, after = getattr(plain, part).images, getattr(filtered, part).images
        assert before.shape == after.shape
        assert after.dtype == torch.uint8
        assert torch.equal(before, after) is not changes
        assert after.float().std() <= before.float().std()


def test_the_median_of_an_image_by_hand(digits: Path) -> None:
    plain, median = (load(digits, TrainConfig(**SMALL, denoise=d), CPU) for d in ("none", "median"))
    window = plain.train.images[3, 1, 9:12, 14:17]
    assert median.train.images[3, 1, 10, 15] == window.reshape(-1).median()


@pytest.mark.parametrize(("name", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_scaling_maps_pixels_to_its_range(digits: Path, name: str, low: float, high: float) -> None:
    data = load(digits, TrainConfig(**SMALL, scaling=name), CPU)
    scaled = data.scale(data.train.images)
    assert (scaled.min().item(), scaled.max().item()) == pytest.approx((low, high))


def test_per_channel_scaling_has_mean_0_and_deviation_1(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    scaled = data.scale(data.train.images)
    assert scaled.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-3)
    assert scaled.std((0, 2, 3)) == pytest.approx([1, 1, 1], abs=1e-3)
