"""Augmentation of a whole batch at once, on the device where the images are.

Each draws one set of numbers per image from its own generator, so that switching one off does not change
what the others draw. One is added by its knob in `config.knobs` and an entry of AUGMENTATIONS.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Scaling
from cifarbench.training.operations import WIDE, jitter, paper, random_operation
from cifarbench.training.random_streams import generator
from cifarbench.training.torch_internals import standard_gamma

LEVELS = 30  # above 0, of an operation of RandAugment's or TrivialAugment's


def random_flip(images: Tensor, stream: Generator) -> Tensor:
    """Mirror each image (N, C, H, W) left to right with probability 1/2."""
    return mirror(images, coins(len(images), stream, images.device))


def coins(n: int, stream: Generator, device: torch.device) -> Tensor:
    """Return (N,) bool, each true with probability 1/2."""
    return torch.rand(n, generator=stream, device=device) < 0.5


def mirror(images: Tensor, mirrored: Tensor) -> Tensor:
    """Turn those of the images (N, C, H, W) left to right for which `mirrored`, (N,), is true."""
    n = len(images)
    both = torch.cat((images, images.flip(3)))
    return both.index_select(0, torch.arange(n, device=images.device) + n * mirrored)


def random_crop(images: Tensor, padding: int, stream: Generator, border: str = "black") -> Tensor:
    """Shift each image (N, C, H, W) by up to `padding` pixels each way; zeros, or its mirror, come in.

    Copies whole rows of pixels, which is ten times faster than choosing them one by one.
    """
    n, channels, height, width = images.shape
    top, left = torch.randint(0, 2 * padding + 1, (2, n), generator=stream, device=images.device)
    padded = F.pad(images, (padding,) * 4) if border == "black" else reflected(images, padding)
    padded_height, padded_width = padded.shape[2:]
    planes = torch.arange(n * channels, device=images.device).view(n, channels, 1)
    rows = torch.arange(height, device=images.device)
    starts = planes * padded_height * padded_width + rows * padded_width  # (N, C, H), in the flat images
    starts += (top * padded_width + left).view(n, 1, 1)
    runs = padded.flatten().unfold(0, width, 1)  # every run of `width` pixels, without copying
    return runs.index_select(0, starts.flatten()).view(images.shape)


def reflected(images: Tensor, padding: int) -> Tensor:
    """Pad with the image's own mirror, without its edge; PyTorch's padding takes no bytes."""
    for dimension in (2, 3):
        last = images.shape[dimension] - 1
        places = torch.arange(-padding, last + 1 + padding, device=images.device).abs()
        images = images.index_select(dimension, last - (last - places).abs())
    return images


def random_cutout(images: Tensor, side: int, stream: Generator) -> Tensor:
    """Blank a square of `side` pixels around a random centre in each image (DeVries and Taylor, 2017)."""
    n, _, height, width = images.shape
    centres = torch.randint(0, height * width, (n,), generator=stream, device=images.device)
    top, left = centres // width - side // 2, centres % width - side // 2
    return blanked(images, top, top + side, left, left + side)


def random_erasing(images: Tensor, probability: float, stream: Generator) -> Tensor:
    """Blank a rectangle in an image with this probability (Zhong et al., 2020).

    Area and proportions as torchvision draws them: 2 to 33 % of the image, and 0.3 to 3.3, evenly in their
    logarithm; but one that is too long is cut, where torchvision draws again.
    """
    n, _, height, width = images.shape
    chance, area, shape, y, x = torch.rand(5, n, generator=stream, device=images.device)
    area = (0.02 + 0.31 * area) * height * width
    proportion = (math.log(0.3) + shape * math.log(3.3 / 0.3)).exp()
    rows = (area * proportion).sqrt().round().clamp(1, height) * (chance < probability)
    columns = (area / proportion).sqrt().round().clamp(1, width)
    top, left = (y * (height - rows + 1)).floor(), (x * (width - columns + 1)).floor()
    return blanked(images, top, top + rows, left, left + columns)


def blanked(images: Tensor, top: Tensor, bottom: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """Put zeros into a rectangle of each image, whose bounds are (N,); it may leave the image."""
    height, width = images.shape[2:]
    rows, columns = (torch.arange(size, device=images.device) for size in (height, width))
    down = (rows >= top[:, None]) & (rows < bottom[:, None])  # (N, H)
    across = (columns >= left[:, None]) & (columns < right[:, None])  # (N, W)
    return images.masked_fill((down[:, :, None] & across[:, None, :])[:, None], 0)


def mixup(images: Tensor, alpha: float, stream: Generator) -> tuple[Tensor, Tensor]:
    """Blend each image with the one before it, in one share for the batch (Zhang et al., 2018).

    Return the images and the share, (), that is an image's own.
    """
    share = random_share(alpha, stream, images)
    return blend(images, share), share


def blend(each: Tensor, share: Tensor) -> Tensor:
    """Mix each of a batch with the one before it; its own share, (), stays on the device, unlike in lerp."""
    return each * share + each.roll(1, 0) * (1 - share)


def cutmix(images: Tensor, alpha: float, stream: Generator) -> tuple[Tensor, Tensor]:
    """Put a patch of the image before it into each image, at one place for the batch (Yun et al., 2019).

    Return the images and the share, (), that is an image's own: of the area, as the border cuts the patch.
    """
    height, width = images.shape[2:]
    side = (1 - random_share(alpha, stream, images)).sqrt() / 2  # half of one, in images
    middle = torch.rand(2, generator=stream, device=images.device)
    inside = [
        (torch.arange(size, device=images.device) + 0.5 - place * size).abs() < side * size
        for size, place in ((height, middle[0]), (width, middle[1]))
    ]
    patch = inside[0][:, None] & inside[1]
    return torch.where(patch, images.roll(1, 0), images), 1 - patch.to(images.dtype).mean()


def random_share(alpha: float, stream: Generator, like: Tensor) -> Tensor:
    """Draw from Beta(alpha, alpha), a tensor of no dimension."""
    one, other = standard_gamma(torch.full((2,), alpha, device=like.device, dtype=like.dtype), stream)
    return one / (one + other)


def rand_augment(images: Tensor, level: int, operations: int, stream: Generator) -> Tensor:
    """Do so many operations, drawn for each image, at a level of 0 to 30 (Cubuk et al., 2020)."""
    for _ in range(operations):
        share = torch.full((), level / LEVELS, device=images.device)
        images = random_operation(images, share, paper(images.shape[3]), stream)
    return images


def trivial_augment(images: Tensor, stream: Generator) -> Tensor:
    """Do one operation, drawn with its level for each image (Müller and Hutter, 2021, "wide")."""
    levels = torch.randint(0, LEVELS + 1, (len(images),), generator=stream, device=images.device)
    return random_operation(images, levels / LEVELS, WIDE, stream)


class Augmentation(NamedTuple):
    """What changes each image by chance: on where its knob is not the default, with a stream of its name."""

    knob: str
    stage: Literal["pixels", "scaled", "mixed"]
    apply: Callable[[Tensor, TrainConfig, Generator], Any]
    """Takes images (N, C, H, W), the config and the stream; one that mixes returns (images, own share)."""


# In the order in which they are applied.
AUGMENTATIONS = {
    "flip": Augmentation("flip", "pixels", lambda images, _, stream: random_flip(images, stream)),
    "crop": Augmentation(
        "crop_padding",
        "pixels",
        lambda images, config, stream: random_crop(images, config.crop_padding, stream, config.crop_border),
    ),
    "color_jitter": Augmentation(
        "color_jitter", "pixels", lambda images, config, stream: jitter(images, config.color_jitter, stream)
    ),
    "rand_augment": Augmentation(
        "rand_augment",
        "pixels",
        lambda images, config, stream: rand_augment(
            images, config.rand_augment, config.rand_augment_operations, stream
        ),
    ),
    "trivial_augment": Augmentation(
        "trivial_augment", "pixels", lambda images, _, stream: trivial_augment(images, stream)
    ),
    "cutout": Augmentation(
        "cutout", "scaled", lambda images, config, stream: random_cutout(images, config.cutout, stream)
    ),
    "random_erasing": Augmentation(
        "random_erasing",
        "scaled",
        lambda images, config, stream: random_erasing(images, config.random_erasing, stream),
    ),
    "mixup": Augmentation(
        "mixup", "mixed", lambda images, config, stream: mixup(images, config.mixup, stream)
    ),
    "cutmix": Augmentation(
        "cutmix", "mixed", lambda images, config, stream: cutmix(images, config.cutmix, stream)
    ),
}


class Augment:
    """The augmentations that a config switches on, with scaling between those on pixels and the others.

    With `flip: alternating` each of the `images` that train is mirrored in every other epoch, in the first
    by chance (Jordan, 2024, section 3.6). The switch is on the device, so that a recorded step sees it turn.
    """

    def __init__(
        self, config: TrainConfig, scale: Scaling, classes: int, images: int, device: torch.device
    ) -> None:
        self.config, self.scale, self.classes = config, scale, classes
        changed = config.changed()
        self.active = {name: a for name, a in AUGMENTATIONS.items() if a.knob in changed}
        self.mirrored: Tensor | None = None
        if config.flip == "alternating":
            del self.active["flip"]
            self.mirrored = coins(images, generator(config.seed, "flip", device), device)
            self.turned = torch.zeros((), dtype=torch.bool, device=device)
        self.streams = {name: generator(config.seed, name, device) for name in self.active}

    def begin_epoch(self, epoch: int) -> None:
        """Say which epoch, counted from 0, comes next."""
        if self.mirrored is not None:
            self.turned.fill_(epoch % 2 == 1)

    def __call__(self, images: Tensor, classes: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Turn uint8 images (N, 3, H, W) and classes (N,) into augmented and scaled ones, and targets.

        The positions (N,) are theirs among the images that train.
        """
        if self.mirrored is not None:
            images = mirror(images, self.mirrored[positions] ^ self.turned)
        for apply, stream in self._of("pixels"):
            images = apply(images, self.config, stream)
        images, targets = self.scale(images), classes
        for apply, stream in self._of("scaled"):
            images = apply(images, self.config, stream)
        for apply, stream in self._of("mixed"):
            images, share = apply(images, self.config, stream)
            own = (classes[:, None] == torch.arange(self.classes, device=classes.device)).to(images.dtype)
            targets = blend(own, share)
        return images, targets

    def _of(self, stage: str) -> list[tuple[Callable[[Tensor, TrainConfig, Generator], Any], Generator]]:
        return [(a.apply, self.streams[name]) for name, a in self.active.items() if a.stage == stage]
