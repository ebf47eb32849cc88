"""Tests of a result on other data sets with the same classes: how it does under shift."""

import logging
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.integrity import check_images
from cifarbench.data.loading import Data, ImageSet, denoised, every_row, read_parts
from cifarbench.data.manifest import Manifest, read_manifest
from cifarbench.errors import UserError
from cifarbench.records.record import ExtraTest
from cifarbench.training.engine import Engine
from cifarbench.training.evaluate import finite

log = logging.getLogger(__name__)

Loaded = list[tuple[Manifest, ImageSet]]


def load_extra_tests(config: TrainConfig, folder: Path, data: Data, device: torch.device) -> Loaded:
    """Load the `extra_tests` of a run, each from a folder of its name in `folder`."""
    loaded = []
    for manifest in _manifests(config, folder, data):
        loaded.append((manifest, _images(folder / manifest.name, manifest, config, device)))
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


def _images(folder: Path, manifest: Manifest, config: TrainConfig, device: torch.device) -> ImageSet:
    """Return the test images of a data set, or all images of one that has no test set of its own."""
    check_images(folder, manifest)
    parts = read_parts(folder, manifest)
    chosen = list(parts.values()) if manifest.test_was_drawn else [parts["test"]]
    images, labels = (torch.cat(each) for each in zip(*chosen, strict=True))
    return ImageSet(denoised(images, config.denoise).to(device), labels.to(device), every_row(labels, device))


def check_sizes(loaded: Loaded, data: Data) -> None:
    """Raise UserError for images of another size than those that train."""
    for manifest, part in loaded:
        side = part.images.shape[-1]
        if side != data.side:
            raise UserError(
                f"extra_tests: {manifest.name!r} has images of {side} pixels, {data.manifest.name!r} of "
                f"{data.side}; give both the same image_size"
            )


def run_extra_tests(engine: Engine, loaded: Loaded) -> dict[str, Any]:
    """Test the kept weights, which are in force, and return what `Final` says of it."""
    found = [_tested(engine, manifest, part) for manifest, part in loaded]
    mean = math.fsum(test.top1 for test in found) / len(found) if found else None
    return {"extra_tests": found, "extra_top1": mean}


def _tested(engine: Engine, manifest: Manifest, part: ImageSet) -> ExtraTest:
    outputs = engine.outputs(part)
    test = ExtraTest(
        name=manifest.name,
        images_sha256=manifest.images_sha256,
        images=len(part),
        loss=finite(outputs.loss),
        top1=(outputs.logits.argmax(1) == outputs.labels).double().mean().item(),
    )
    log.info("accuracy on %s %.4f", manifest.name, test.top1)
    return test
