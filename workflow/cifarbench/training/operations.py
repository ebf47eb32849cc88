"""Operations on images that RandAugment, TrivialAugment and colour jitter draw from, one for each image.

As torchvision.transforms.v2 computes them on bytes, but for a whole batch: each image has an operation of its
own, and each of three functions does its kind of operation to those that drew one, and nothing to the others.
So no shape depends on a draw. (torchvision itself takes three seconds to import, and one value for a batch.)
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

NAMES = (
    *("identity", "shear_x", "shear_y", "translate_x", "translate_y", "rotate"),
    *("brightness", "color", "contrast", "sharpness"),
    *("posterize", "solarize", "autocontrast", "equalize"),
)
NUMBER = {name: number for number, name in enumerate(NAMES)}


class Strength(NamedTuple):
    """What the highest level means: a shear, a shift in pixels, a rotation in degrees, by how much brightness
    and the like change, and the bits that are lost."""

    shear: float
    translate: float
    rotate: float
    enhance: float
    bits: float


def paper(side: int) -> Strength:
    """Return the strengths of RandAugment (Cubuk et al., 2020), as torchvision has them."""
    return Strength(shear=0.3, translate=150 / 331 * side, rotate=30, enhance=0.9, bits=4)


WIDE = Strength(shear=0.99, translate=32, rotate=135, enhance=0.99, bits=6)  # TrivialAugment's (Müller, 2021)


def random_operation(images: Tensor, level: Tensor, strength: Strength, stream: Generator) -> Tensor:
    """Do one of the operations to each image (N, 3, H, W) of bytes, at its level, (N,) or (), from 0 to 1."""
    n, device = len(images), images.device
    chosen = torch.randint(0, len(NAMES), (n,), generator=stream, device=device)
    sign = 1.0 - 2.0 * (torch.rand(n, generator=stream, device=device) < 0.5)
    return operate(images, chosen, level, sign, strength)


def jitter(images: Tensor, most: float, stream: Generator) -> Tensor:
    """Change brightness, contrast and colour of each image by factors of 1 - most to 1 + most.

    In an order of its own for each image, as torchvision's ColorJitter.
    """
    n, device = len(images), images.device
    order = torch.rand(3, n, generator=stream, device=device).argsort(0)
    factors = 1 + most * (2 * torch.rand(3, n, generator=stream, device=device) - 1)
    kinds = [NUMBER[name] for name in ("brightness", "contrast", "color")]
    for place in order:
        chosen = torch.where(place == 0, kinds[0], torch.where(place == 1, kinds[1], kinds[2]))
        images = blended(images, chosen, factors.gather(0, place[None])[0])
    return images


def operate(images: Tensor, chosen: Tensor, level: Tensor, sign: Tensor, strength: Strength) -> Tensor:
    """Do to each image the operation whose number it has, (N,); the sign, (N,), is of those with two ways."""
    both = level * sign
    shift = (both * strength.translate).trunc()
    images = warped(images, chosen, both * strength.shear, shift, both * strength.rotate)
    images = blended(images, chosen, 1 + both * strength.enhance)
    return looked_up(images, chosen, (8 - level * strength.bits).round(), 255 * (1 - level))


def where(chosen: Tensor, name: str, value: Tensor, otherwise: float = 0.0) -> Tensor:
    return torch.where(chosen == NUMBER[name], value, otherwise)


def warped(images: Tensor, chosen: Tensor, shear: Tensor, shift: Tensor, degrees: Tensor) -> Tensor:
    """Shear about the corner, shift or rotate; nearest pixel, black comes in."""
    n, channels, height, width = images.shape
    y = torch.arange(height, device=images.device).view(1, -1, 1) - (height - 1) / 2
    x = torch.arange(width, device=images.device).view(1, 1, -1) - (width - 1) / 2
    angle = where(chosen, "rotate", degrees).deg2rad().view(n, 1, 1)
    shear_x, shear_y = (where(chosen, f"shear_{way}", shear).view(n, 1, 1) for way in "xy")
    shift_x, shift_y = (where(chosen, f"translate_{way}", shift).view(n, 1, 1) for way in "xy")
    column = angle.cos() * x - angle.sin() * y + shear_x * (y + height / 2) - shift_x + (width - 1) / 2
    row = angle.sin() * x + angle.cos() * y + shear_y * (x + width / 2) - shift_y + (height - 1) / 2
    column, row = column.round(), row.round()
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)  # (N, H, W)
    places = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long().view(n, 1, -1)
    taken = images.flatten(2).gather(2, places.expand(-1, channels, -1)).view(images.shape)
    return taken * inside[:, None]


def blended(images: Tensor, chosen: Tensor, factor: Tensor) -> Tensor:
    """Mix with black, own grey, mean grey or blurred, in the share of the factor, which may be above 1."""
    picture = images.float()  # which holds all of these whole numbers exactly
    grey = ((picture * _weights(images)).sum(1, keepdim=True) / 10_000).floor()  # (N, 1, H, W)
    mean = grey.sum((1, 2, 3), keepdim=True) / grey[0].numel()
    name = chosen.view(-1, 1, 1, 1)
    other = torch.where(name == NUMBER["sharpness"], blurred(picture), 0.0)
    other = torch.where(name == NUMBER["color"], grey, other)
    other = torch.where(name == NUMBER["contrast"], mean, other)
    enhanced = (name >= NUMBER["brightness"]) & (name <= NUMBER["sharpness"])
    share = torch.where(enhanced, factor.view(-1, 1, 1, 1), 1.0)
    return (picture * share + other * (1 - share)).clamp(0, 255).to(torch.uint8)


def _weights(images: Tensor) -> Tensor:
    """Return what red, green and blue count in grey, in ten thousandths (ITU-R BT.601)."""
    channel = torch.arange(3, device=images.device).view(1, 3, 1, 1)
    return torch.where(channel == 0, 2989, torch.where(channel == 1, 5870, 1140))


def blurred(picture: Tensor) -> Tensor:
    """Return the weighted mean of 3x3 pixels, the middle one five-fold, rounded; the border stays."""
    rows = picture[:, :, :-2] + picture[:, :, 1:-1] + picture[:, :, 2:]
    total = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * picture[:, :, 1:-1, 1:-1]
    smooth = (total / 13).round()
    return torch.cat(
        (
            picture[:, :, :1],
            torch.cat((picture[:, :, 1:-1, :1], smooth, picture[:, :, 1:-1, -1:]), 3),
            picture[:, :, -1:],
        ),
        2,
    )


def looked_up(images: Tensor, chosen: Tensor, bits: Tensor, threshold: Tensor) -> Tensor:
    """Put another value in place of each, by a table for each channel of each image."""
    n, channels = images.shape[:2]
    pixels = images.flatten(2).long()  # (N, C, H*W)
    value = torch.arange(256, device=images.device).view(1, 1, -1).expand(n, channels, -1)
    name = chosen.view(-1, 1, 1)
    step = 2 ** (8 - bits).long().expand(n).view(-1, 1, 1)
    table = torch.where(name == NUMBER["posterize"], value // step * step, value)
    turned = torch.where(value >= threshold.expand(n).view(-1, 1, 1), 255 - value, value)
    table = torch.where(name == NUMBER["solarize"], turned, table)
    table = torch.where(name == NUMBER["autocontrast"], stretched(pixels, value), table)
    table = torch.where(name == NUMBER["equalize"], equalized(pixels, value), table)
    return table.gather(2, pixels).to(torch.uint8).view(images.shape)


def stretched(pixels: Tensor, value: Tensor) -> Tensor:
    """Return the tables (N, C, 256) that spread values over all of 0 to 255; one value stays as it is."""
    low, high = pixels.amin(2, keepdim=True), pixels.amax(2, keepdim=True)
    spread = 255 * (value - low) // (high - low).clamp(min=1)
    return torch.where(high > low, spread.clamp(0, 255), value)


def equalized(pixels: Tensor, value: Tensor) -> Tensor:
    """Return the tables (N, C, 256) that make all values as frequent, as Pillow does it."""
    count = torch.zeros_like(value).scatter_add(2, pixels, torch.ones_like(pixels))
    total = count.cumsum(2)
    most = pixels.amax(2, keepdim=True)
    step = (pixels.shape[2] - count.gather(2, most)) // 255
    table = ((total - count + step // 2) // step.clamp(min=1)).clamp(0, 255)
    return torch.where(step > 0, table, value)
