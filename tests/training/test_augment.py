"""Batched augmentation equals torchvision's functions applied image by image with the same draws."""

import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Scaling
from cifarbench.training.augment import Augment, random_crop, random_cutout, random_flip
from cifarbench.training.random_streams import generator

IMAGES = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_flip_is_torchvisions_for_about_half_of_the_images() -> None:
    flips = torch.rand(64, generator=seeded()) < 0.5
    expected = [reference.horizontal_flip(i) if flip else i for i, flip in zip(IMAGES, flips, strict=True)]
    assert torch.equal(random_flip(IMAGES, seeded()), torch.stack(expected))
    assert 16 < flips.sum() < 48


@pytest.mark.parametrize("padding", [1, 4])
def test_crop_is_torchvisions_pad_and_crop(padding: int) -> None:
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, 64), generator=seeded()).tolist()
    expected = [
        reference.crop(reference.pad(image, [padding]), top, left, 32, 32)
        for image, top, left in zip(IMAGES, tops, lefts, strict=True)
    ]
    assert torch.equal(random_crop(IMAGES, padding, seeded()), torch.stack(expected))
    assert set(tops) == set(range(2 * padding + 1))


@pytest.mark.parametrize("side", [8, 9])
def test_cutout_blanks_a_square_that_may_leave_the_image(side: int) -> None:
    ones = torch.ones(64, 3, 32, 32)
    blanked = random_cutout(ones, side, seeded())
    centres = torch.randint(0, 1024, (64,), generator=seeded())
    for image, centre in zip(blanked, centres.tolist(), strict=True):
        top, left = centre // 32 - side // 2, centre % 32 - side // 2
        expected = torch.ones(3, 32, 32)
        expected[:, max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = 0
        assert torch.equal(image, expected)
    assert blanked.sum() > 64 * 3 * (1024 - side**2)  # some squares leave the image


def test_switching_one_augmentation_on_leaves_the_draws_of_the_others() -> None:
    def augmented(**knobs: object) -> torch.Tensor:
        unscaled = Scaling(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
        augment = Augment(TrainConfig(**knobs), unscaled, torch.device("cpu"))
        images, targets = augment(IMAGES, torch.arange(64))
        assert torch.equal(targets, torch.arange(64))
        return images

    flipped = augmented(flip=True)
    both = augmented(flip=True, cutout=8)
    stream = generator(0, "flip", torch.device("cpu"))
    assert torch.equal(flipped, random_flip(IMAGES, stream).float())
    assert torch.equal(both[both != 0], flipped[both != 0])


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_scaling_is_torchvisions_normalize(memory_format: torch.memory_format) -> None:
    mean, std = [0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]
    shaped = (torch.tensor(values).mul(255).view(1, 3, 1, 1) for values in (mean, std))
    ours = Scaling(*shaped, memory_format)(IMAGES)
    assert torch.allclose(ours, reference.normalize(IMAGES.float() / 255, mean, std), atol=1e-5)
    assert ours.is_contiguous(memory_format=memory_format)
