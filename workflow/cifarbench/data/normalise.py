"""Turn a data set into one file of uint8 images that training maps into memory, and a manifest.

`cifarbench normalise --name cifar10 --format cifar10 --source ARCHIVE --output data/cifar10`
"""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.archives import check_apart
from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.manifest import IMAGES, MANIFEST, Manifest, description, warnings
from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError
from cifarbench.files import atomic, remove_strays, sha256_of, write_text

log = logging.getLogger(__name__)

PIECE = 10_000  # images that are looked at together


def normalise(name: str, format: str, request: Request, output: Path) -> Manifest:
    """Write `images.safetensors` and `manifest.json` into `output`; log what was decided."""
    if request.path:
        check_apart(request.path, output)
    for file in (IMAGES, MANIFEST):
        remove_strays(output / file)
    data = reduced(read_source(format, request), request.options)
    with atomic(output / IMAGES) as temporary:
        save_file(_tensors(data), temporary)
        _check_known(format, request, temporary)
    mean, std = channel_statistics(data.train_images if len(data.train_images) else data.test_images)
    manifest = Manifest(
        name=name,
        format=format,
        source_sha256=data.sha256,
        images_sha256=sha256_of(output / IMAGES),
        classes=data.classes,
        train_images=_per_class(data.train_labels, data.classes),
        test_images=_per_class(data.test_labels, data.classes),
        test_was_drawn=data.test_was_drawn,
        mean=mean.tolist(),
        std=std.tolist(),
        validation_images=_per_class(data.validation[1], data.classes) if data.validation else None,
        folders=dict(data.folders),
        kinds=dict(sorted(data.kinds.items())),
        background=request.options.background,
        subset=dict(request.options.subset),
        test_groups=dict(data.test_groups),
        left_out=list(data.left_out),
        repeats=repeats(data),
    )
    write_text(output / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    for line in description(manifest):
        log.info("%s", line)
    for line in warnings(manifest):
        log.warning("warning: %s", line)
    return manifest


def _check_known(format: str, request: Request, images: Path) -> None:
    """Raise UserError for a data set that is verified by its images, if these are others."""
    expected = CATALOGUE[format].images_sha256
    if expected and request.options == ReadOptions() and (found := sha256_of(images)) != expected:
        raise UserError(
            f"{request.path}: its images are not those of {format}: sha256 is {found}, expected {expected}; "
            "fetch it again, use the Pillow of envs/requirements.txt, or read it with format: folder"
        )


def _tensors(data: Source) -> dict[str, NDArray[np.generic]]:
    return {
        f"{part}_{name}": np.ascontiguousarray(array)
        for part, arrays in parts(data).items()
        for name, array in zip(("images", "labels"), arrays, strict=True)
    }


def reduced(data: Source, options: ReadOptions) -> Source:
    """Keep so many images of a part, each class (in each group of test images) giving its share, the same at
    every call."""
    for part, count in options.subset.items():
        images, labels = parts(data).get(part, (None, np.empty(0, np.int64)))
        groups = (data.test_groups if part == "test" else {}) or {"": len(labels)}
        group = np.repeat(np.arange(len(groups)), [*groups.values()])
        kinds = len(groups) * len(data.classes)
        uneven = len(groups) > 1 and count % kinds  # which would count more in the mean of them all
        if images is None or uneven or not kinds <= count < len(labels):
            of_groups = f" in {len(groups)} groups" if len(groups) > 1 else ""
            wanted = (
                f"as many of each, as {kinds} or twice that are" if of_groups else "but one of each class"
            )
            raise UserError(
                f"subset: {part}={count} is not allowed: there are {len(labels)} images of "
                f"{len(data.classes)} classes{of_groups}; keep fewer, {wanted}"
            )
        _, rows = stratified_split(group * len(data.classes) + labels, count, seed=0)
        images, labels = images[rows], labels[rows]
        if part == "train":
            data = replace(data, train_images=images, train_labels=labels)
        elif part == "test":
            kept = np.bincount(group[rows], minlength=len(groups)).tolist()
            left = dict(zip(data.test_groups, kept, strict=False))  # which may have none
            data = replace(data, test_images=images, test_labels=labels, test_groups=left)
        else:
            data = replace(data, validation=(images, labels))
    return data


def parts(data: Source) -> dict[str, tuple[Images, Labels]]:
    """Return images and labels of each part that a data set has."""
    found = {"train": (data.train_images, data.train_labels), "test": (data.test_images, data.test_labels)}
    return {**found, "validation": data.validation} if data.validation else found


def repeats(data: Source) -> dict[str, int]:
    """Count training images that are the same as one before, and others that are training images, too."""
    if not len(data.train_images):
        return {}
    train = _hashes(data.train_images)
    known = set(train)
    found = {"train": len(train) - len(known)}
    for part, (images, _) in parts(data).items():
        if part != "train":
            found[part] = sum(digest in known for digest in _hashes(images))
    return found


def _hashes(images: Images) -> list[bytes]:
    return [hashlib.sha256(image.tobytes()).digest() for image in images]


def channel_statistics(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each channel over all pixels, as fractions of 255.

    Counted from the histogram of the 256 values, so the result does not depend on the order of summing.
    """
    pieces = [images[at : at + PIECE] for at in range(0, len(images), PIECE)]
    histogram = np.sum([_histogram(piece) for piece in pieces], axis=0)
    share = histogram / histogram.sum(axis=1, keepdims=True)
    value = np.arange(256) / 255
    mean = share @ value
    return mean, np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))


def _histogram(images: Images) -> NDArray[np.int64]:
    """Count the values of each channel, (3, 256); the count takes eight bytes for each of them."""
    return np.stack([np.bincount(images[:, channel].ravel(), minlength=256) for channel in range(3)])


def _per_class(labels: Labels, classes: list[str]) -> list[int]:
    return np.bincount(labels, minlength=len(classes)).tolist()
