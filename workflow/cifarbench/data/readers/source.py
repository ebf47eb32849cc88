"""What a reader is given, and what it returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from cifarbench.config.benchmark import ReadOptions

Images = NDArray[np.uint8]  # (N, 3, H, W)
Labels = NDArray[np.int64]  # (N,)


@dataclass(frozen=True)
class Request:
    """What to read: an archive or folder, unless the data set is embedded, and the hash that it must have."""

    path: Path | None
    sha256: str | None = None
    options: ReadOptions = field(default_factory=ReadOptions)
    others: tuple[Path, ...] = ()
    """The other files of a data set that is several."""

    @classmethod
    def of(cls, paths: Sequence[Path], sha256: str | None, options: ReadOptions) -> Self:
        return cls(paths[0] if paths else None, sha256, options, tuple(paths[1:]))

    def files(self) -> list[Path]:
        """Return the files given, or those of the folder given."""
        if self.path is None:
            return []
        return sorted(self.path.iterdir()) if self.path.is_dir() else [self.path, *self.others]


@dataclass(frozen=True)
class Source:
    """A data set as it was read. `sha256` is of the archive, or of all names and contents of a folder."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: list[str]
    sha256: str
    test_was_drawn: bool
    validation: tuple[Images, Labels] | None = None
    """Only where the source has such a part of its own."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """By part (train, validation, test), the folder that it was read from."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Images of each format and mode, such as `PNG RGBA`."""
    test_groups: Mapping[str, int] = field(default_factory=dict)
    """By name, how many test images in turn belong together, such as those of one corruption."""
    left_out: tuple[str, ...] = ()
    """Files that are not used: no images and in no folder of a class, or of a part without classes."""
