"""Images of your own: a folder, .tar, .tar.gz, .tar.xz or .zip of `train/<class>/*` and `test/<class>/*`.

Without train/ and test/, that is `<class>/*`, a fifth of each class is drawn as the test set. Any image
format that Pillow reads, any size; images are resized to 32x32.
"""

from pathlib import Path, PurePosixPath

import numpy as np

from cifarbench.data.archives import members, sha256_of_files
from cifarbench.data.catalogue import Entry
from cifarbench.data.readers.decode import decode
from cifarbench.data.readers.source import Images, Labels, Source
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError

DRAWN_TEST_SHARE = 0.2
LAYOUT = "lay it out as train/<class>/<image> and test/<class>/<image>, or as <class>/<image>"


def read(_entry: Entry, path: Path | None, sha256: str | None) -> Source:
    """Read all images. Raise UserError for a file that is no image and for a class without images."""
    if path is None:
        raise UserError(f"source is missing; {LAYOUT}")
    found = sha256_of_files(path)
    if sha256 and found != sha256:
        raise UserError(f"{path}: wrong checksum: sha256 is {found}, expected {sha256}; fetch it again")
    folders: set[PurePosixPath] = set()
    images: dict[PurePosixPath, Images] = {}
    for name, content in members(path):
        if content is None:
            folders.add(name)
        elif len(name.parts) > 1:
            folders.update((name.parent, name.parent.parent))
            images[name] = _decode(path, name, content)
    _check_no_class_is_empty(path, folders, images)
    if not images:
        raise UserError(f"{path}: holds no images; {LAYOUT}")
    splits = {_split(name) for name in images}
    if splits == {"train", "test"}:
        return _given_split(path, images, found)
    if splits == {None}:
        return _drawn_split(path, images, found)
    raise UserError(f"{path}: has {_words(splits)}, which do not go together; {LAYOUT}")


def _words(splits: set[str | None]) -> str:
    return " and ".join(f"{split}/" if split else "classes outside train/ and test/" for split in splits)


def _decode(path: Path, name: PurePosixPath, content: bytes) -> Images:
    try:
        return decode(content)
    except UserError as error:
        raise UserError(f"{path}: {name} {error}; remove it") from None


def _split(name: PurePosixPath) -> str | None:
    split = name.parts[-3] if len(name.parts) > 2 else None
    return split if split in ("train", "test") else None


def _check_no_class_is_empty(
    path: Path, folders: set[PurePosixPath], images: dict[PurePosixPath, Images]
) -> None:
    inner = {folder.parent for folder in folders}
    with_images = {name.parent for name in images}
    for folder in sorted(folders - inner - with_images):
        raise UserError(f"{path}: class {folder} has no images; add some or remove the folder")


def _given_split(path: Path, images: dict[PurePosixPath, Images], sha256: str) -> Source:
    parts = {split: {n: i for n, i in images.items() if _split(n) == split} for split in ("train", "test")}
    names = {split: {name.parent.name for name in part} for split, part in parts.items()}
    for name in sorted(names["train"] ^ names["test"]):
        missing = "train" if name in names["test"] else "test"
        raise UserError(f"{path}: class {name} has no images in {missing}/; add some or remove the class")
    classes = sorted(names["train"])
    return Source(*_stack(parts["train"], classes), *_stack(parts["test"], classes), classes, sha256, False)


def _drawn_split(path: Path, images: dict[PurePosixPath, Images], sha256: str) -> Source:
    classes = sorted({name.parent.name for name in images})
    stacked, labels = _stack(images, classes)
    if min(np.bincount(labels)) < 1 / DRAWN_TEST_SHARE:
        least = classes[int(np.argmin(np.bincount(labels)))]
        raise UserError(f"{path}: class {least} has fewer than 5 images, too few to draw a test set")
    train, test = stratified_split(labels, round(len(labels) * DRAWN_TEST_SHARE), seed=0)
    return Source(stacked[train], labels[train], stacked[test], labels[test], classes, sha256, True)


def _stack(images: dict[PurePosixPath, Images], classes: list[str]) -> tuple[Images, Labels]:
    index = {name: label for label, name in enumerate(classes)}
    labels = np.array([index[name.parent.name] for name in images], np.int64)
    return np.stack(list(images.values())), labels
