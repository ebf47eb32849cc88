"""What a normalised data set says of itself, in `manifest.json` beside its images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cifarbench.errors import UserError
from cifarbench.files import read_model, sha256_of
from cifarbench.words import count

IMAGES = "images.safetensors"
MANIFEST = "manifest.json"
LEAST_STD = 1 / 32  # images of 12 bits in files of 16 stay below it, photographs and drawings are far above
NAMED = 10  # classes or files that a line names


class Manifest(BaseModel):
    """What a normalised data set holds. It has no time and no path, so the same data give the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str
    format: str
    source_sha256: str
    images_sha256: str
    classes: list[str]
    train_images: list[int]
    """Images of each class."""
    test_images: list[int]
    test_was_drawn: bool
    """True if the source has no test set of its own."""
    mean: list[float] = Field(min_length=3, max_length=3)
    """Per channel, of the training images, as a fraction of 255; of the test images if none train."""
    std: list[float] = Field(min_length=3, max_length=3)
    validation_images: list[int] | None = None
    """None where the source has no validation images of its own."""
    folders: dict[str, str] = {}
    """By part, the folder of the source that it was read from."""
    kinds: dict[str, int] = {}
    """Images of each format and mode before they were decoded."""
    background: str = "#ffffff"
    """Behind transparent pixels."""
    subset: dict[str, int] = {}
    """Images that were kept of a part, where not all were."""
    test_groups: dict[str, int] = Field({}, exclude_if=lambda groups: not groups)
    """By name, how many test images in turn belong together, such as those of one corruption."""
    left_out: list[str] = []
    """Files of the source that are not used."""
    repeats: dict[str, int] = {}
    """Training images that are the same as one before, and images of other parts that are training images."""

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        for name in ("train_images", "test_images", "validation_images"):
            counts = getattr(self, name)
            if counts is not None and len(counts) != len(self.classes):
                raise ValueError(f"{name} has {len(counts)} counts for {len(self.classes)} classes")
        return self


def manifest_sha256(folder: Path) -> str:
    """Hash the manifest. Raise UserError if there is none."""
    try:
        return sha256_of(folder / MANIFEST)
    except OSError as error:
        raise UserError(
            f"{folder / MANIFEST}: cannot be read: {error.strerror}; make it with `cifarbench normalise`"
        ) from None


def read_manifest(folder: Path) -> Manifest:
    return read_model(Manifest, folder / MANIFEST, "cifarbench normalise")


def description(manifest: Manifest) -> Iterator[str]:
    """Say what was decided when the data set was read, a line each."""
    yield f"source: sha256 {manifest.source_sha256}"
    yield f"{len(manifest.classes)} classes: {_some(manifest.classes)}"
    if any(manifest.train_images):
        yield f"train: {_counted(manifest.train_images)}{_from(manifest, 'train')}"
    if manifest.validation_images is not None:
        yield f"validation: {_counted(manifest.validation_images)}, given{_from(manifest, 'validation')}"
    how = "drawn from what else would train, a fifth of each class" if manifest.test_was_drawn else "given"
    yield f"test: {_counted(manifest.test_images)}, {how}{_from(manifest, 'test')}"
    if manifest.test_groups:
        yield f"test images in {len(manifest.test_groups)} groups: {_some(list(manifest.test_groups))}"
    if manifest.kinds:
        yield "read: " + ", ".join(f"{number:,} {kind}" for kind, number in manifest.kinds.items())
    if manifest.subset:
        yield "subset: " + ", ".join(count(kept, f"{part} image") for part, kept in manifest.subset.items())
    if manifest.left_out:
        yield f"left out: {count(len(manifest.left_out), 'file')}: {_some(manifest.left_out)}"


def warnings(manifest: Manifest) -> Iterator[str]:
    """Say what a reader of the results must know of the images."""
    train = sum(manifest.train_images)
    for part, repeated in manifest.repeats.items():
        if repeated == 0:
            continue
        if part == "train":
            alike = (
                "all training images are the same"
                if repeated == train - 1
                else count(repeated, "training image repeats another", "training images repeat another")
            )
            yield alike
        else:
            yield count(
                repeated, f"{part} image is a training image, too", f"{part} images are training images, too"
            )
    for channel, std in zip(("red", "green", "blue"), manifest.std, strict=True):
        if std == 0:
            yield f"the {channel} channel is the same in all training images"
    if 0 < max(manifest.std) < LEAST_STD:
        yield (
            f"the training images hardly differ from one tone (standard deviation {max(manifest.std):.1%} of "
            "white): do they use a part of the range that their format has, as 12 bits in a file of 16 do?"
        )


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


def _counted(counts: list[int]) -> str:
    low, high = min(counts), max(counts)
    return f"{sum(counts):,} images, {f'{low:,} to {high:,}' if low < high else f'{low:,}'} of each class"


def _from(manifest: Manifest, part: str) -> str:
    return f", from {manifest.folders[part]}/" if part in manifest.folders else ""
