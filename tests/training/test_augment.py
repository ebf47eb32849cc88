"""Batched augmentation equals torchvision's functions applied image by image with the same draws."""

import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional as reference

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Scaling
from cifarbench.training.augment import (
    Augment,
    cutmix,
    mixup,
    random_crop,
    random_cutout,
    random_erasing,
    random_flip,
    random_share,
)
from cifarbench.training.random_streams import generator

IMAGES = torch.randint(0, 256, (64, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(7)


def test_flip_is_torchvisions_for_about_half_of_the_images() -> None:
    flips = torch.rand(64, generator=seeded()) < 0.5
    expected = [reference.horizontal_flip(i) if flip else i for i, flip in zip(IMAGES, flips, strict=True)]
    assert torch.equal(random_flip(IMAGES, seeded()), torch.stack(expected))
    assert 16 < flips.sum() < 48


def test_alternating_flips_show_each_image_both_ways_in_every_two_epochs() -> None:
    unscaled = Scaling(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    augment = Augment(TrainConfig(flip="alternating"), unscaled, 64, 64, torch.device("cpu"))
    order = torch.randperm(64, generator=seeded())
    seen = []
    for epoch in range(4):
        augment.begin_epoch(epoch)
        images, _ = augment(IMAGES[order], order, order)
        seen.append(images[order.argsort()])
    plain, turned = IMAGES.float(), reference.horizontal_flip(IMAGES).float()
    first = (seen[0] == turned).flatten(1).all(1)
    assert 16 < first.sum() < 48  # by chance
    for epoch, images in enumerate(seen):
        mirrored = first ^ (epoch % 2 == 1)
        assert torch.equal(images, torch.where(mirrored[:, None, None, None], turned, plain))


@pytest.mark.parametrize("padding", [1, 4])
def test_crop_is_torchvisions_pad_and_crop(padding: int) -> None:
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, 64), generator=seeded()).tolist()
    expected = [
        reference.crop(reference.pad(image, [padding]), top, left, 32, 32)
        for image, top, left in zip(IMAGES, tops, lefts, strict=True)
    ]
    assert torch.equal(random_crop(IMAGES, padding, seeded()), torch.stack(expected))
    assert set(tops) == set(range(2 * padding + 1))


@pytest.mark.parametrize("padding", [1, 4])
def test_a_crop_may_let_the_mirror_come_in(padding: int) -> None:
    tops, lefts = torch.randint(0, 2 * padding + 1, (2, 64), generator=seeded()).tolist()
    expected = [
        reference.crop(reference.pad(image, [padding], padding_mode="reflect"), top, left, 32, 32)
        for image, top, left in zip(IMAGES, tops, lefts, strict=True)
    ]
    assert torch.equal(random_crop(IMAGES, padding, seeded(), "reflect"), torch.stack(expected))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_drawn_from_the_beta_distribution(alpha: float) -> None:
    stream, like = seeded(), torch.zeros(1, dtype=torch.float64)
    shares = [random_share(alpha, stream, like).item() for _ in range(2000)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_mixup_blends_each_image_with_the_one_before_it() -> None:
    images = IMAGES.double()
    mixed, share = mixup(images, 1.0, seeded())
    assert 0 < share < 1
    for number in range(64):
        expected = share * images[number] + (1 - share) * images[number - 1]
        assert torch.allclose(mixed[number], expected)


def test_cutmix_puts_in_a_patch_and_counts_its_area() -> None:
    stream, areas = seeded(), []
    for _ in range(20):
        mixed, share = cutmix(IMAGES.float(), 1.0, stream)
        theirs = (mixed != IMAGES.float()).any(0).any(0)  # where some image has changed
        rows, columns = theirs.any(1).nonzero().flatten(), theirs.any(0).nonzero().flatten()
        areas.append(len(rows) * len(columns))
        assert theirs.sum() == areas[-1]  # a rectangle without holes
        assert share.item() == pytest.approx(1 - areas[-1] / 1024)
        assert torch.equal(mixed[:, :, theirs], IMAGES.float().roll(1, 0)[:, :, theirs])
    assert len(set(areas)) > 10


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_targets_are_mixed_as_the_images_are(name: str) -> None:
    config = TrainConfig(**{name: 1.0})
    unscaled = Scaling(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    classes = torch.arange(64) % 10
    _, targets = Augment(config, unscaled, 10, 64, torch.device("cpu"))(IMAGES, classes, torch.arange(64))
    _, share = {"mixup": mixup, "cutmix": cutmix}[name](
        IMAGES.float(), 1.0, generator(0, name, torch.device("cpu"))
    )
    assert targets.sum(1) == pytest.approx(torch.ones(64))
    own = targets[torch.arange(64), classes]
    before = targets[torch.arange(64), classes.roll(1)]
    assert own[1:] == pytest.approx(share.expand(63), abs=1e-6)
    assert before[1:] == pytest.approx(1 - share.expand(63), abs=1e-6)


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


def test_random_erasing_blanks_rectangles_of_torchvisions_sizes() -> None:
    ones = torch.ones(4000, 1, 32, 32)
    erased = random_erasing(ones, 0.5, seeded())[:, 0] == 0
    hit = erased[erased.any(1).any(1)]
    assert 0.45 < len(hit) / 4000 < 0.55
    heights, widths = hit.any(2).sum(1), hit.any(1).sum(1)
    areas = hit.sum((1, 2))
    assert torch.equal(areas, heights * widths)  # rectangles, and whole within the image
    shares = areas / 1024
    assert shares.min() > 0.01
    assert shares.max() < 0.36
    whole = (heights < 32) & (widths < 32)  # which are not cut
    assert shares[whole].mean() == pytest.approx(0.17, abs=0.02)
    proportions = (heights / widths)[whole].log()
    assert proportions.mean() == pytest.approx(0, abs=0.1)
    assert torch.equal(random_erasing(ones, 0, seeded()), ones)


def test_switching_one_augmentation_on_leaves_the_draws_of_the_others() -> None:
    def augmented(**knobs: object) -> torch.Tensor:
        unscaled = Scaling(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
        augment = Augment(TrainConfig(**knobs), unscaled, 64, 64, torch.device("cpu"))
        images, targets = augment(IMAGES, torch.arange(64), torch.arange(64))
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
