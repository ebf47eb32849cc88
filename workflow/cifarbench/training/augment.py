"""Augmentation of a whole batch at once, on the device where the images are.

Each draws one set of numbers per image from its own generator, so that switching one off does not change
what the others draw. One is added by its knob in `config.knobs` and an entry of AUGMENTATIONS.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Scaling
from cifarbench.training.random_streams import generator


def random_flip(images: Tensor, stream: Generator) -> Tensor:
    """Mirror each image (N, C, H, W) left to right with probability 1/2."""
    n = len(images)
    mirrored = torch.rand(n, generator=stream, device=images.device) < 0.5
    both = torch.cat((images, images.flip(3)))
    return both.index_select(0, torch.arange(n, device=images.device) + n * mirrored)


def random_crop(images: Tensor, padding: int, stream: Generator) -> Tensor:
    """Shift each image (N, C, H, W) by up to `padding` pixels each way; zeros come in at the border.

    Copies whole rows of pixels, which is ten times faster than choosing them one by one.
    """
    n, channels, height, width = images.shape
    top, left = torch.randint(0, 2 * padding + 1, (2, n), generator=stream, device=images.device)
    padded = F.pad(images, (padding,) * 4)
    padded_height, padded_width = padded.shape[2:]
    planes = torch.arange(n * channels, device=images.device).view(n, channels, 1)
    rows = torch.arange(height, device=images.device)
    starts = planes * padded_height * padded_width + rows * padded_width  # (N, C, H), in the flat images
    starts += (top * padded_width + left).view(n, 1, 1)
    runs = padded.flatten().unfold(0, width, 1)  # every run of `width` pixels, without copying
    return runs.index_select(0, starts.flatten()).view(images.shape)


def random_cutout(images: Tensor, side: int, stream: Generator) -> Tensor:
    """Blank a square of `side` pixels around a random centre in each image (DeVries and Taylor, 2017)."""
    n, _, height, width = images.shape
    centres = torch.randint(0, height * width, (n,), generator=stream, device=images.device)
    top, left = centres // width - side // 2, centres % width - side // 2
    rows = torch.arange(height, device=images.device) - top.view(-1, 1)  # (N, H)
    columns = torch.arange(width, device=images.device) - left.view(-1, 1)  # (N, W)
    inside = ((rows >= 0) & (rows < side))[:, :, None] & ((columns >= 0) & (columns < side))[:, None, :]
    return images.masked_fill(inside[:, None], 0)


class Augmentation(NamedTuple):
    """What changes each image by chance: on where its knob is not the default, with a stream of its name."""

    knob: str
    stage: Literal["pixels", "scaled"]
    apply: Callable[[Tensor, Any, Generator], Tensor]
    """Takes images (N, C, H, W), the knob's value and the stream."""


# In the order in which they are applied.
AUGMENTATIONS = {
    "flip": Augmentation("flip", "pixels", lambda images, _, stream: random_flip(images, stream)),
    "crop": Augmentation("crop_padding", "pixels", random_crop),
    "cutout": Augmentation("cutout", "scaled", random_cutout),
}


class Augment:
    """The augmentations that a config switches on, with scaling between those on pixels and the others."""

    def __init__(self, config: TrainConfig, scale: Scaling, device: torch.device) -> None:
        self.scale = scale
        changed = config.changed()
        self.active = {name: a for name, a in AUGMENTATIONS.items() if a.knob in changed}
        self.values = {name: changed[a.knob] for name, a in self.active.items()}
        self.streams = {name: generator(config.seed, name, device) for name in self.active}

    def __call__(self, images: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
        """Turn uint8 images (N, 3, H, W) and classes (N,) into augmented and scaled ones, and targets."""
        images = self.scale(self._apply("pixels", images))
        return self._apply("scaled", images), classes

    def _apply(self, stage: str, images: Tensor) -> Tensor:
        for name, augmentation in self.active.items():
            if augmentation.stage == stage:
                images = augmentation.apply(images, self.values[name], self.streams[name])
        return images
