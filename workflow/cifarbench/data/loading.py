"""A normalised data set, mapped into memory: the images that train, those held out, and the test set."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.manifest import IMAGES, Manifest, read_manifest
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError


@dataclass(frozen=True)
class ImageSet:
    """Some rows of images (M, 3, 32, 32) uint8 and labels (M,) int64, all on one device.

    The rows (N,) choose without copying, so that the images stay the pages of the file.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, positions: Tensor | slice) -> tuple[Tensor, Tensor]:
        """Return the images and labels at these positions among the rows."""
        rows = self.rows[positions]
        return self.images.index_select(0, rows), self.labels.index_select(0, rows)


@dataclass(frozen=True)
class Scaling:
    """From pixels of 0..255 to what the model sees: minus mean, over std, (1, 3, 1, 1), in their type."""

    mean: Tensor
    std: Tensor
    memory_format: torch.memory_format = torch.contiguous_format

    def __call__(self, images: Tensor) -> Tensor:
        """Turn uint8 images (N, 3, H, W) into scaled ones."""
        scaled = images.to(self.mean.dtype).sub_(self.mean).div_(self.std)
        return scaled.contiguous(
            memory_format=self.memory_format
        )  # last, since arithmetic is slower after it


@dataclass(frozen=True)
class Data:
    """What one run sees."""

    manifest: Manifest
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    scale: Scaling

    def in_layout(self, memory_format: torch.memory_format) -> "Data":
        return replace(self, scale=replace(self.scale, memory_format=memory_format))


def load(folder: Path, config: TrainConfig, device: torch.device) -> Data:
    """Load `folder` as a run wants it. Jobs on one machine share the file's pages; none copies it on disk."""
    manifest = read_manifest(folder)
    try:
        with safe_open(folder / IMAGES, framework="pt") as file:
            train, test = (
                {name: file.get_tensor(f"{part}_{name}") for name in ("images", "labels")}
                for part in ("train", "test")
            )
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / IMAGES}: cannot be read: {error}; run `cifarbench normalise`") from None
    images, labels = denoised(train["images"], config.denoise).to(device), train["labels"].to(device)
    stay, held_out = (torch.from_numpy(rows).to(device) for rows in split_rows(train["labels"], config))
    test_images, test_labels = denoised(test["images"], config.denoise).to(device), test["labels"].to(device)
    every_row = torch.arange(len(test_labels), device=device)
    return Data(
        manifest,
        ImageSet(images, labels, stay),
        ImageSet(images, labels, held_out),
        ImageSet(test_images, test_labels, every_row),
        scaling(config, manifest.mean, manifest.std, device),
    )


def split_rows(labels: Tensor, config: TrainConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that train and the `validation_images` held out, each class giving its share."""
    count, available = config.validation_images, len(labels)
    if count >= available:
        raise UserError(
            f"validation_images: {count} is not allowed: data set {config.dataset!r} has {available} "
            "training images; choose fewer than that, 0 for no validation"
        )
    return stratified_split(labels.numpy(), count, config.data_seed)


def denoised(images: Tensor, filter_name: str) -> Tensor:
    """Filter each image and channel alone: Gaussian with sigma 0.5 pixels, or the median of 3x3 pixels."""
    if filter_name == "none":
        return images
    from scipy import ndimage

    if filter_name == "median":
        return torch.from_numpy(ndimage.median_filter(images.numpy(), size=(1, 1, 3, 3)))
    smooth = ndimage.gaussian_filter(images.numpy().astype(np.float32), sigma=(0, 0, 0.5, 0.5))
    return torch.from_numpy(smooth.round().astype(np.uint8))


def scaling(
    config: TrainConfig, data_mean: list[float], data_std: list[float], device: torch.device
) -> Scaling:
    mean, std = {
        "unit": ([0.0] * 3, [1.0] * 3),
        "symmetric": ([0.5] * 3, [0.5] * 3),
        "per_channel": (data_mean, data_std),
    }[config.scaling]
    if min(std) == 0:
        raise UserError("scaling: 'per_channel' is not allowed: a channel is constant; use unit")
    shape = (1, 3, 1, 1)
    return Scaling(
        torch.tensor(mean, device=device).mul(255).view(shape),
        torch.tensor(std, device=device).mul(255).view(shape),
    )
