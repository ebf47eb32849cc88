"""A normalised data set, mapped into memory: the images that train, those held out, and the test set."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cifarbench.config.knobs import TrainConfig, default_of
from cifarbench.data.integrity import check_images
from cifarbench.data.manifest import IMAGES, Manifest, manifest_sha256, read_manifest
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError


@dataclass(frozen=True)
class ImageSet:
    """Some rows of images (M, 3, H, W) uint8 and labels (M,) int64, all on one device.

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
    manifest_sha256: str
    train: ImageSet
    validation: ImageSet
    test: ImageSet
    scale: Scaling

    @property
    def side(self) -> int:
        """Of the images, in pixels."""
        return self.train.images.shape[-1]

    def in_layout(self, memory_format: torch.memory_format) -> "Data":
        return replace(self, scale=replace(self.scale, memory_format=memory_format))


def load(folder: Path, config: TrainConfig, device: torch.device) -> Data:
    """Load `folder` as a run wants it. Jobs on one machine share the file's pages; none copies it on disk."""
    manifest, digest = read_manifest(folder), manifest_sha256(folder)
    check_images(folder, manifest)
    parts = {
        part: ImageSet(
            denoised(images, config.denoise).to(device), labels.to(device), every_row(labels, device)
        )
        for part, (images, labels) in read_parts(folder, manifest).items()
    }
    train = parts["train"]
    if not len(train):
        raise UserError(f"data set {manifest.name!r} has no images to train on; name it in extra_tests")
    if manifest.validation_images is None:
        stay, held_out = (
            torch.from_numpy(rows).to(device) for rows in split_rows(train.labels.cpu(), config)
        )
        validation = replace(train, rows=held_out)
        train = replace(train, rows=stay)
    else:
        check_nothing_is_held_out(manifest, config)
        validation = parts["validation"]
    return Data(
        manifest,
        digest,
        train,
        validation,
        parts["test"],
        scaling(config, manifest.mean, manifest.std, device),
    )


def read_parts(folder: Path, manifest: Manifest) -> dict[str, tuple[Tensor, Tensor]]:
    """Return images (N, 3, H, W) uint8 and labels (N,) of each part of a data set."""
    names = ["train", "test"] if manifest.validation_images is None else ["train", "validation", "test"]
    try:
        with safe_open(folder / IMAGES, framework="pt") as file:
            return {
                name: (file.get_tensor(f"{name}_images"), file.get_tensor(f"{name}_labels")) for name in names
            }
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / IMAGES}: cannot be read: {error}; run `cifarbench normalise`") from None


def every_row(labels: Tensor, device: torch.device) -> Tensor:
    return torch.arange(len(labels), device=device)


def check_nothing_is_held_out(manifest: Manifest, config: TrainConfig) -> None:
    """Raise UserError for knobs that draw validation images from a data set that has its own.

    `validation_images` may be left at its default, or be 0: nothing is held out of the training images.
    """
    given = sum(manifest.validation_images or [])
    for name, allowed in (("validation_images", (0, default_of("validation_images"))), ("data_seed", (0,))):
        if getattr(config, name) not in allowed:
            raise UserError(
                f"{name}: {getattr(config, name)} is not allowed: data set {manifest.name!r} has {given} "
                "validation images of its own, which are used; remove it"
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
