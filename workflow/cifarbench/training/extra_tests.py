"""Tests of a result on other data sets with the same classes: how it does under shift.

Such a data set may be many times as large as the test set, so its images stay in its file, and come to the
device in pieces.
"""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.integrity import check_images
from cifarbench.data.loading import Data, ImageSet, denoised, every_row, read_parts
from cifarbench.data.manifest import Manifest, read_manifest
from cifarbench.errors import UserError
from cifarbench.records.record import ExtraTest, Group
from cifarbench.training.engine import Engine
from cifarbench.training.evaluate import finite

log = logging.getLogger(__name__)

PIECE = 10_000  # images


class Loaded(NamedTuple):
    """A data set's images (N, 3, H, W) uint8 and labels (N,), as they are in its file."""

    manifest: Manifest
    images: Tensor
    labels: Tensor


def load_extra_tests(config: TrainConfig, folder: Path, data: Data) -> list[Loaded]:
    """Load the `extra_tests` of a run, each from a folder of its name in `folder`."""
    loaded = [
        Loaded(manifest, *_images(folder / manifest.name, manifest))
        for manifest in _manifests(config, folder, data)
    ]
    check_sizes(loaded, data)
    return loaded


def _manifests(config: TrainConfig, folder: Path, data: Data) -> Iterator[Manifest]:
    """Yield what the data sets say of themselves. Raise UserError for one of other classes."""
    for name in config.extra_tests:
        manifest = read_manifest(folder / name)
        if manifest.classes != data.manifest.classes:
            other = sorted({*manifest.classes} ^ {*data.manifest.classes})
            raise UserError(
                f"extra_tests: {name!r} has not the classes of {data.manifest.name!r}, in their order"
                + (f" (only one has {', '.join(other[:5])})" if other else "")
                + "; remove it, or name its classes alike"
            )
        yield manifest


def _images(folder: Path, manifest: Manifest) -> tuple[Tensor, Tensor]:
    """Return the test images of a data set, or all images of one that has no test set of its own."""
    check_images(folder, manifest)
    parts = read_parts(folder, manifest)
    if not manifest.test_was_drawn:
        return parts["test"]
    images, labels = (torch.cat(each) for each in zip(*parts.values(), strict=True))
    return images, labels


def check_sizes(loaded: list[Loaded], data: Data) -> None:
    """Raise UserError for images of another size than those that train."""
    for manifest, images, _ in loaded:
        side = images.shape[-1]
        if side != data.side:
            raise UserError(
                f"extra_tests: {manifest.name!r} has images of {side} pixels, {data.manifest.name!r} of "
                f"{data.side}; give both the same image_size"
            )


def run_extra_tests(engine: Engine, loaded: list[Loaded]) -> dict[str, Any]:
    """Test the kept weights, which are in force, and return what `Final` says of it."""
    found = [_tested(engine, *one) for one in loaded]
    mean = math.fsum(test.top1 for test in found) / len(found) if found else None
    return {"extra_tests": found, "extra_top1": mean}


@torch.no_grad()
def _tested(engine: Engine, manifest: Manifest, images: Tensor, labels: Tensor) -> ExtraTest:
    pieces = zip(images.split(PIECE), labels.split(PIECE), strict=True)
    logits = torch.cat([engine.outputs(_on_device(engine, *piece)).logits for piece in pieces])
    labels = labels.to(logits.device)
    right = (logits.argmax(1) == labels).double()
    sizes = [*manifest.test_groups.values()]
    groups = zip(manifest.test_groups, right.split(sizes) if sizes else (), strict=True)
    test = ExtraTest(
        name=manifest.name,
        images_sha256=manifest.images_sha256,
        images=len(labels),
        loss=finite(engine.loss(logits, labels)),
        top1=right.mean().item(),
        groups=[Group(name=name, images=len(part), top1=part.mean().item()) for name, part in groups],
    )
    log.info("accuracy on %s %.4f", manifest.name, test.top1)
    return test


def _on_device(engine: Engine, images: Tensor, labels: Tensor) -> ImageSet:
    device = engine.device
    filtered = denoised(images, engine.config.denoise)
    return ImageSet(filtered.to(device), labels.to(device), every_row(labels, device))
