"""Each operation equals torchvision's on each image, up to one rounding; each image has a draw of its own."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as reference

from cifarbench.training.augment import rand_augment, trivial_augment
from cifarbench.training.operations import NAMES, NUMBER, WIDE, Strength, blended, jitter, operate, paper

IMAGES = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
IMAGES[:3] = IMAGES[:3] // 4 + 90  # narrow histograms
IMAGES[3, 0] = 7  # a channel of one value
IMAGES[4] //= 64


def affine(image: Tensor, shift: tuple[int, int] = (0, 0), shear: tuple[float, float] = (0, 0)) -> Tensor:
    degrees = [math.degrees(math.atan(value)) for value in shear]
    corner = [0, 0] if any(shear) else None
    return reference.affine(image, 0.0, list(shift), 1.0, degrees, center=corner)


# By torchvision's names, what it does at a magnitude.
THEIRS: dict[str, tuple[str, Callable[[Tensor, float], Tensor]]] = {
    "identity": ("Identity", lambda image, _: image),
    "shear_x": ("ShearX", lambda image, m: affine(image, shear=(m, 0))),
    "shear_y": ("ShearY", lambda image, m: affine(image, shear=(0, m))),
    "translate_x": ("TranslateX", lambda image, m: affine(image, shift=(int(m), 0))),
    "translate_y": ("TranslateY", lambda image, m: affine(image, shift=(0, int(m)))),
    "rotate": ("Rotate", lambda image, m: reference.rotate(image, m)),
    "brightness": ("Brightness", lambda image, m: reference.adjust_brightness(image, 1 + m)),
    "color": ("Color", lambda image, m: reference.adjust_saturation(image, 1 + m)),
    "contrast": ("Contrast", lambda image, m: reference.adjust_contrast(image, 1 + m)),
    "sharpness": ("Sharpness", lambda image, m: reference.adjust_sharpness(image, 1 + m)),
    "posterize": ("Posterize", lambda image, m: reference.posterize(image, int(m))),
    "solarize": ("Solarize", lambda image, m: reference.solarize(image, 255 * m)),
    "autocontrast": ("AutoContrast", lambda image, _: reference.autocontrast(image)),
    "equalize": ("Equalize", lambda image, _: reference.equalize(image)),
}
SPACES = {"paper": (v2.RandAugment, paper(32)), "wide": (v2.TrivialAugmentWide, WIDE)}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", NAMES)
def test_an_operation_is_torchvisions_at_every_level(space: str, name: str) -> None:
    kind, strength = SPACES[space]
    title, theirs = THEIRS[name]
    magnitudes, signed = kind._AUGMENTATION_SPACE[title]
    values = magnitudes(31, 32, 32)
    for level, sign in ((0, 1), (7, 1), (7, -1), (30, 1), (30, -1)):
        magnitude = 0.0 if values is None else float(values[level]) * (sign if signed else 1)
        expected = torch.stack([theirs(image, magnitude) for image in IMAGES])
        ours = done(IMAGES, name, level, sign, strength)
        off = (ours.int() - expected.int()).abs()
        if name.startswith("shear"):  # a pixel midway between two may be taken from either
            assert (off > 0).float().mean() < 0.01
        else:
            assert off.max() <= (1 if name in ("brightness", "color", "sharpness", "autocontrast") else 0)
        assert ours.dtype == torch.uint8


def done(images: Tensor, name: str, level: int, sign: int, strength: Strength) -> Tensor:
    chosen = torch.full((len(images),), NUMBER[name])
    return operate(
        images, chosen, torch.tensor(level / 30), torch.full((len(images),), float(sign)), strength
    )


def test_each_image_of_a_batch_has_its_own_operation_and_level() -> None:
    images, chosen = IMAGES[:1].expand(14, -1, -1, -1), torch.arange(14)
    levels, signs = torch.arange(14) / 30, torch.tensor([1.0, -1.0]).repeat(7)
    together = operate(images, chosen, levels, signs, WIDE)
    for number, name in enumerate(NAMES):
        alone = done(IMAGES[:1], name, number, int(signs[number]), WIDE)
        assert torch.equal(together[number], alone[0]), name


def test_the_names_and_draws_are_torchvisions() -> None:
    assert {title for title, _ in THEIRS.values()} == set(v2.RandAugment._AUGMENTATION_SPACE)
    assert {title for title, _ in THEIRS.values()} == set(v2.TrivialAugmentWide._AUGMENTATION_SPACE)
    ones = torch.arange(256, dtype=torch.uint8).repeat(12).view(1, 3, 32, 32).expand(2000, -1, -1, -1)
    for augmented in (
        rand_augment(ones, 9, 1, torch.Generator().manual_seed(0)),
        trivial_augment(ones, torch.Generator().manual_seed(0)),
    ):
        same = (augmented == ones).flatten(1).all(1).float().mean()
        # Identity, and what changes nothing here: autocontrast, equalize, and some at a low level.
        assert 2 / 14 < same < 5 / 14


def test_jitter_changes_three_things_by_factors_of_its_own_for_each_image() -> None:
    stream = torch.Generator().manual_seed(0)
    ours = jitter(IMAGES, 0.4, stream)
    again = torch.Generator().manual_seed(0)
    order = torch.rand(3, 8, generator=again).argsort(0)
    factors = 0.6 + 0.8 * torch.rand(3, 8, generator=again)
    names = ("brightness", "contrast", "color")
    for number, image in enumerate(IMAGES):
        for kind in order[:, number].tolist():
            image = THEIRS[names[kind]][1](image, factors[kind, number].item() - 1)
        assert (ours[number].int() - image.int()).abs().max() <= 3  # a rounding at each step
    assert len({tuple(column) for column in order.T.tolist()}) > 2
    assert torch.equal(blended(IMAGES, torch.full((8,), NUMBER["color"]), torch.ones(8)), IMAGES)
