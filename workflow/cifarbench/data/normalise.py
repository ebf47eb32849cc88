"""Turn a data set into one file of uint8 images that training maps into memory, and a manifest.

`cifarbench normalise --name cifar10 --format cifar10 --source ARCHIVE --output data/cifar10`
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from cifarbench.data.manifest import IMAGES, MANIFEST, Manifest
from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Images, Labels
from cifarbench.files import atomic, sha256_of, write_text


def normalise(name: str, format: str, source: Path | None, sha256: str | None, output: Path) -> Manifest:
    """Write `images.safetensors` and `manifest.json` into `output`, the manifest last."""
    data = read_source(format, source, sha256)
    with atomic(output / IMAGES) as temporary:
        save_file(
            {
                "train_images": np.ascontiguousarray(data.train_images),
                "train_labels": data.train_labels,
                "test_images": np.ascontiguousarray(data.test_images),
                "test_labels": data.test_labels,
            },
            temporary,
        )
    mean, std = channel_statistics(data.train_images)
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
    )
    write_text(output / MANIFEST, manifest.model_dump_json(indent=1) + "\n")
    return manifest


def channel_statistics(images: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each channel over all pixels, as fractions of 255.

    Counted from the histogram of the 256 values, so the result does not depend on the order of summing.
    """
    histogram = np.stack([np.bincount(images[:, c].ravel(), minlength=256) for c in range(3)])  # (3, 256)
    share = histogram / histogram.sum(axis=1, keepdims=True)
    value = np.arange(256) / 255
    mean = share @ value
    return mean, np.sqrt((share * (value - mean[:, None]) ** 2).sum(axis=1))


def _per_class(labels: Labels, classes: list[str]) -> list[int]:
    return np.bincount(labels, minlength=len(classes)).tolist()
