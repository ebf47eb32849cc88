"""Images of your own: a folder or archive, laid out as `data/layout.py` says.

Any size, any format of decode.FORMATS. Where no test images are given, a fifth of each class is drawn.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.archives import members, sha256_of_files
from cifarbench.data.catalogue import Entry
from cifarbench.data.layout import ADVICE, TEST, TRAIN, VALIDATION, Layout, lay_out
from cifarbench.data.packed import printable
from cifarbench.data.readers.decode import SUFFIXES, decoded
from cifarbench.data.readers.source import Images, Labels, Request, Source
from cifarbench.data.splits import stratified_split
from cifarbench.errors import UserError

DRAWN_TEST_SHARE = 0.2
LIST = "_annotations.txt"  # of classes, as Tiny ImageNet has it: a line is file, class and more, between tabs


@dataclass(frozen=True)
class Found:
    """What lies in a source, in its order: pictures with their kinds, and other files with why they are none;
    lists of classes; folders without any file."""

    pictures: dict[PurePosixPath, Images]
    kinds: dict[PurePosixPath, str]
    others: dict[PurePosixPath, str]
    lists: dict[PurePosixPath, dict[str, str]]
    empty: set[PurePosixPath]


def read(_entry: Entry, request: Request) -> Source:
    """Read all images. Raise UserError for what is no image among images, and for a class without any."""
    path = request.path
    if path is None:
        raise UserError(f"source is missing; {ADVICE}")
    sha256 = sha256_of_files(path)
    if request.sha256 and sha256 != request.sha256:
        raise UserError(
            f"{path}: wrong checksum: sha256 is {sha256}, expected {request.sha256}; fetch it again"
        )
    found = find(path, request.options)
    try:
        _check_none_is_empty(found)
        layout = lay_out(found.pictures, _labels(found))
        _check_images_alone(found, layout)
        return _source(found, layout, sha256)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def find(path: Path, options: ReadOptions) -> Found:
    """Read every file, and see whether it is a picture by decoding it. Raise UserError for a broken one."""
    found = Found({}, {}, {}, {}, set())
    for name, content in members(path, options):
        found.empty.update(name.parents if content is not None else (name, *name.parents))
        if content is None:
            continue
        if name.name.endswith(LIST):
            found.lists[name] = _rows(path, name, content)
            continue
        try:
            found.pictures[name], found.kinds[name] = decoded(content, options)
        except UserError as error:
            if name.suffix.lower() in SUFFIXES:
                raise UserError(f"{path}: {printable(name)} {error}; remove it") from None
            found.others[name] = str(error)
    for name in (*found.pictures, *found.others, *found.lists):
        found.empty.difference_update(name.parents)
    return found


def _rows(path: Path, name: PurePosixPath, content: bytes) -> dict[str, str]:
    rows: dict[str, str] = {}
    for line in content.decode("utf-8-sig", errors="replace").splitlines():
        file, *classes = line.split("\t")
        if classes and rows.setdefault(file, classes[0]) != classes[0]:
            raise UserError(f"{path}: {printable(name)} gives {printable(file)} two classes; remove one")
    return rows


def _labels(found: Found) -> dict[PurePosixPath, str]:
    """Return the classes of pictures that a list beside or above them names.

    Raise UserError for a list that names pictures which are not there.
    """
    labels: dict[PurePosixPath, str] = {}
    for where, classes in found.lists.items():
        listed = {
            n: classes[n.name] for n in found.pictures if where.parent in n.parents and n.name in classes
        }
        missing = sorted(classes.keys() - {name.name for name in listed})
        if listed and missing:
            raise UserError(
                f"{printable(where)} names {len(missing):,} images that are not there, such as "
                f"{printable(missing[0])}; is a part of them lost?"
            )
        labels |= listed
    return labels


def _check_none_is_empty(found: Found) -> None:
    for folder in sorted(found.empty - {PurePosixPath()}):
        raise UserError(f"class {printable(folder)} has no images; add some or remove the folder")


def _check_images_alone(found: Found, layout: Layout) -> None:
    folders = {name.parent for name in layout.places}
    for name, reason in found.others.items():
        if name.parent in folders:
            raise UserError(f"{printable(name)} {reason}; remove it")


def _source(found: Found, layout: Layout, sha256: str) -> Source:
    classes = sorted({label for _, label in layout.places.values()})
    parts = {
        role: _stack(found, layout, role, classes) for role in {role for role, _ in layout.places.values()}
    }
    images, labels = parts[TRAIN if layout.folders else None]
    if TEST in parts:
        train, test = (images, labels), parts[TEST]
    else:
        train, test = _drawn(images, labels, classes)
    left_out = [name for name in (*found.others, *found.lists, *found.pictures) if name not in layout.places]
    return Source(
        *train,
        *test,
        classes,
        sha256,
        test_was_drawn=TEST not in parts,
        validation=parts.get(VALIDATION),
        folders=layout.folders,
        kinds=Counter(found.kinds[name] for name in layout.places),
        left_out=tuple(sorted(printable(name) for name in left_out)),
    )


def _stack(found: Found, layout: Layout, role: str | None, classes: list[str]) -> tuple[Images, Labels]:
    """Return the images of a part, in the order of the source."""
    index = {name: label for label, name in enumerate(classes)}
    names = [name for name in found.pictures if name in layout.places and layout.places[name][0] == role]
    labels = np.array([index[layout.places[name][1]] for name in names], np.int64)
    return np.stack([found.pictures[name] for name in names]), labels


def _drawn(
    images: Images, labels: Labels, classes: list[str]
) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Cut a test set off the images, the same at every call."""
    counts = np.bincount(labels, minlength=len(classes))
    if min(counts) < 1 / DRAWN_TEST_SHARE:
        least = classes[int(np.argmin(counts))]
        raise UserError(f"class {least} has fewer than 5 images, too few to draw a test set")
    train, test = stratified_split(labels, round(len(labels) * DRAWN_TEST_SHARE), seed=0)
    return (images[train], labels[train]), (images[test], labels[test])
