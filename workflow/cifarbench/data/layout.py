"""Which split and class each image of a folder or archive belongs to, from the names of its folders.

    train/<class>/<image>, test/<class>/<image>    the given test images; also Training, seg_test, ...
    val/<class>/<image>                            beside them: the given validation images
    <class>/<image>                                no split is given

A folder in which everything lies does not count, nor does one called `images` below each class (Tiny
ImageNet). Where splits say which folder the class is, folders below it belong to it.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

from cifarbench.data.packed import printable
from cifarbench.errors import UserError

ADVICE = "lay it out as train/<class>/<image> and test/<class>/<image>, or as <class>/<image>"
TRAIN, VALIDATION, TEST, UNLABELLED = "train", "validation", "test", "unlabelled"
# The first or last word of a folder's name says what it holds: Training, seg_test, val2017.
WORDS = {
    TRAIN: {"train", "training"},
    VALIDATION: {"val", "valid", "validation", "dev"},
    TEST: {"test", "testing", "eval", "evaluation"},
    UNLABELLED: {"pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled"},
}
BESIDE = {"set", "split", "data", "dataset", "images", "image", "imgs", "img", "folder"}  # as in train_images
INNER = {"images", "image", "imgs", "img"}

Paths = dict[PurePosixPath, PurePosixPath]  # an image's name, and what of it counts


class Layout(NamedTuple):
    """The (role, class) of each image that is used, the role None without splits; the folder of each role."""

    places: dict[PurePosixPath, tuple[str | None, str]]
    folders: dict[str, str]

    def classes(self, role: str | None) -> set[str]:
        return {label for given, label in self.places.values() if given == role}


def lay_out(names: Iterable[PurePosixPath], labels: Mapping[PurePosixPath, str]) -> Layout:
    """Find splits and classes. Raise UserError, without the name of the source, for what is ambiguous.

    `labels` are the classes of images that a list names; they count where no folder says the class.
    """
    paths = _below_common_top({name: name for name in names})
    if not paths:
        raise UserError(f"holds no images; {ADVICE}")
    tops: dict[str, Paths] = {}
    for name, path in paths.items():
        if len(path.parts) == 1:
            raise UserError(
                f"{printable(name)} lies in no folder of a class; move it into one or remove it; {ADVICE}"
            )
        tops.setdefault(path.parts[0], {})[name] = path
    tops = {top: _without_inner(inside) for top, inside in tops.items()}
    has_train = any(role(top) == TRAIN and _is_nested(inside) for top, inside in tops.items())
    found = _given_splits(tops, labels) if has_train else _classes_alone(tops)
    _check_classes(found)
    return found


def role(folder: str) -> str | None:
    """Return what a folder of this name holds, None for what is no split."""
    words = _words(folder)
    found = [role for role, names in WORDS.items() if words and names & {words[0], words[-1]}]
    return found[0] if len(found) == 1 else None


def _words(folder: str) -> list[str]:
    """Return what a name says: of TrainImages, train_images and trainimages, train."""
    apart = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", folder)
    words = (re.sub(f"(?<=.)({'|'.join(BESIDE)})+$", "", word.casefold()) for word in apart)
    return [word for word in words if word not in BESIDE]


def _below_common_top(paths: Paths) -> Paths:
    """Cut off the folders in which everything lies, but not a class or a split."""
    while len({path.parts[0] for path in paths.values()}) == 1 and all(
        len(p.parts) > 2 for p in paths.values()
    ):
        top = next(iter(paths.values())).parts[0]
        if role(top) and not all(role(path.parts[1]) for path in paths.values()):
            break
        paths = {name: PurePosixPath(*path.parts[1:]) for name, path in paths.items()}
    return paths


def _without_inner(paths: Paths) -> Paths:
    """Leave out the last folder where that is `images` for all."""
    if all(len(path.parts) > 2 and path.parent.name.casefold() in INNER for path in paths.values()):
        return {name: path.parent.parent / path.name for name, path in paths.items()}
    return paths


def _is_nested(paths: Paths) -> bool:
    return any(len(path.parts) > 2 for path in paths.values())


def _folders(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(f"{printable(name)}/" for name in listed[:5]) + (", ..." if len(listed) > 5 else "")


def _given_splits(tops: dict[str, Paths], labels: Mapping[PurePosixPath, str]) -> Layout:
    others = [top for top in tops if role(top) is None]
    if others:
        raise UserError(f"has classes outside train/ and test/ ({_folders(others)}); {ADVICE}")
    folders: dict[str, str] = {}
    for top in tops:
        given = str(role(top))
        if given in folders:
            raise UserError(
                f"has {folders[given]}/ and {printable(top)}/, which both hold {given} images; keep one"
            )
        folders[given] = top
    places: dict[PurePosixPath, tuple[str | None, str]] = {
        name: (given, label)
        for given, top in folders.items()
        for name, label in _classes_of_split(given, top, tops[top], labels).items()
    }
    used = {given for given, _ in places.values()}
    return Layout(places, {given: top for given, top in folders.items() if given in used})


def _classes_of_split(
    given: str, top: str, paths: Paths, labels: Mapping[PurePosixPath, str]
) -> dict[PurePosixPath, str]:
    """Return the class of each image of a split; nothing for a split without classes."""
    _check_one_depth(paths)
    if given == UNLABELLED:
        return {}
    if _is_nested(paths):
        return {name: _composed(path.parts[1]) for name, path in paths.items()}
    if all(name in labels for name in paths):
        return {name: _composed(labels[name]) for name in paths}
    if given == TEST:
        return {}
    raise UserError(
        f"{printable(top)}/ has images without a class; sort them into {printable(top)}/<class>/ or remove it"
    )


def _classes_alone(tops: dict[str, Paths]) -> Layout:
    splits = [top for top in tops if role(top) not in (None, TRAIN) and len(_words(top)) == 1]
    if splits:
        raise UserError(f"has {_folders(splits)} but no train/ with a folder for each class; {ADVICE}")
    _check_no_split_in_names(tops)
    paths = {name: path for inside in tops.values() for name, path in inside.items()}
    _check_one_depth(paths)
    if _is_nested(paths):
        raise UserError(
            f"has folders in folders below {_folders(tops)}; which of them are the classes? {ADVICE}"
        )
    return Layout({name: (None, _composed(path.parts[0])) for name, path in paths.items()}, {})


def _check_no_split_in_names(folders: Iterable[str]) -> None:
    """Raise UserError for classes that only the word of a split tells apart, as cats_train and cats_test."""
    named: dict[tuple[str, ...], dict[str | None, str]] = {}
    for folder in folders:
        rest = tuple(word for word in _words(folder) if not any(word in names for names in WORDS.values()))
        named.setdefault(rest, {})[role(folder)] = folder
    for alike in named.values():
        if len(alike) > 1:
            raise UserError(f"has {_folders(alike.values())}: are they classes, or parts of one? {ADVICE}")


def _check_one_depth(paths: Paths) -> None:
    by_depth = {len(path.parts): name for name, path in paths.items()}
    if len(by_depth) > 1:
        shallow, *_, deep = (printable(by_depth[depth]) for depth in sorted(by_depth))
        raise UserError(f"has images at different depths: {shallow} and {deep}; {ADVICE}")


def _composed(name: str) -> str:
    """Return a class's name in one form: macOS writes an accent as a character of its own."""
    return unicodedata.normalize("NFC", name)


def _check_classes(found: Layout) -> None:
    classes = {label for _, label in found.places.values()}
    for name in sorted(classes):
        if not name.isprintable():  # it stands in records and on the page
            raise UserError(
                f"class {printable(name)}: its name has characters that cannot be shown; rename the folder"
            )
        if name.casefold() in INNER:
            raise UserError(f"has a class {printable(name)}/, which is no name of one; {ADVICE}")
    _check_case(classes)
    if len(classes) < 2:
        raise UserError(
            f"has one class alone ({_folders(classes)}), and there is nothing to tell apart; {ADVICE}"
        )
    train, test, validation = (found.classes(given) for given in (TRAIN, TEST, VALIDATION))
    for name in sorted((train ^ test if test else set()) | (validation - train)):
        folder = found.folders[TEST if name in train else TRAIN]
        raise UserError(f"class {name} has no images in {printable(folder)}/; add some or remove the class")


def _check_case(classes: Collection[str]) -> None:
    """Raise UserError for classes that are one folder on a file system that does not tell case apart."""
    folded: dict[str, str] = {}
    for name in sorted(classes):
        other = folded.setdefault(name.casefold(), name)
        if other != name:
            raise UserError(f"classes {other!r} and {name!r} differ in case alone; rename one or join them")
