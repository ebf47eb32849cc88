"""Classify pictures with trained runs: what each run says, and how the runs agree."""

import glob
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.readers.decode import decode
from cifarbench.data.readers.source import Images
from cifarbench.errors import UserError
from cifarbench.use.predictor import Predictor

STDIN = "-"


class Read(NamedTuple):
    """The pictures that could be read, by name, (N, 3, H, W) uint8, and a line on each of the others."""

    names: list[str]
    images: Images
    faults: list[str]


class Answers(NamedTuple):
    """What a run says: the probability of each class for each picture, (N, classes)."""

    run: str
    classes: list[str]
    probabilities: NDArray[np.float32]

    def top(self, picture: int, count: int) -> list[tuple[str, float]]:
        row = self.probabilities[picture]
        order = np.argsort(-row, kind="stable")[:count]
        return [(self.classes[k], float(row[k])) for k in order]


def read_pictures(words: Sequence[str], options: ReadOptions) -> Read:
    """Read files, all files of folders, what globs match, and standard input for `-`."""
    names, images, faults = [], [], []
    for name in (name for word in words for name in expand(word)):
        try:
            content = sys.stdin.buffer.read() if name == STDIN else Path(name).read_bytes()
            images.append(decode(content, options))
            names.append(name)
        except OSError as error:
            faults.append(f"{name}: cannot be read: {error.strerror}")
        except UserError as error:
            faults.append(f"{name}: {error}")
    return Read(
        names,
        np.stack(images) if images else np.empty((0, 3, options.image_size, options.image_size), np.uint8),
        faults,
    )


def expand(word: str) -> Iterator[str]:
    """Yield the files that a word means, those of a folder or glob in order, without hidden ones."""
    if word.startswith(("http://", "https://")):
        raise UserError(f"{word}: is an address; download the picture and give its path")
    if Path(word).is_dir():
        inside = sorted(path for path in Path(word).rglob("*") if path.is_file())
        files = [str(path) for path in inside if not hidden(path.relative_to(word))]
    elif word != STDIN and glob.has_magic(word) and not Path(word).exists():
        matching = sorted(glob.glob(word, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
        files = [name for name in matching if Path(name).is_file()]
    else:
        files = [word]
    if not files:
        raise UserError(f"{word}: there is no picture; give files, a folder, a glob, or - for standard input")
    yield from files


def hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def ask(predictor: Predictor, images: Images) -> Answers:
    probabilities = predictor.probabilities(predictor.filtered(images))
    return Answers(predictor.record.run, predictor.classes, probabilities)


def agreement(answers: Sequence[Answers], picture: int) -> dict[str, int]:
    """Return how many runs give each class first, most first."""
    return dict(Counter(each.top(picture, 1)[0][0] for each in answers).most_common())


def in_lines(names: Sequence[str], answers: Sequence[Answers], top: int) -> Iterator[str]:
    width = max(len(each.run) for each in answers)
    for picture, name in enumerate(names):
        yield name
        for each in answers:
            said = "   ".join(f"{label} {share:.1%}" for label, share in each.top(picture, top))
            yield f"  {each.run:<{width}}  {said}"
        if len(answers) > 1:
            votes = agreement(answers, picture).items()
            yield f"  of {len(answers)} runs, " + ", ".join(f"{count} say {label}" for label, count in votes)


def as_json(
    names: Sequence[str], answers: Sequence[Answers], faults: Sequence[str], top: int
) -> dict[str, Any]:
    """Return everything, for scripts; probabilities are fractions of 1."""
    return {
        "pictures": [
            {
                "picture": name,
                "runs": {each.run: dict(each.top(picture, top)) for each in answers},
                "agreement": agreement(answers, picture),
            }
            for picture, name in enumerate(names)
        ],
        "unreadable": list(faults),
    }
