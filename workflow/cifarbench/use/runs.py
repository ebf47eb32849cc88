"""The trained runs of a folder, and how one asks for some of them: by id, by folder, `best` or `all`."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cifarbench.config.flags import flags
from cifarbench.data.manifest import Manifest, read_manifest
from cifarbench.errors import UserError, suggest
from cifarbench.models.catalogue import file_flags
from cifarbench.records.folder import RECORD, WEIGHTS
from cifarbench.records.record import Record, read_record
from cifarbench.words import count

BEST, ALL = "best", "all"

log = logging.getLogger(__name__)


class Trained(NamedTuple):
    """A run that has a record, and the folder that it and its weights are in."""

    folder: Path
    record: Record

    @property
    def usable(self) -> bool:
        return self.record.status == "completed" and (self.folder / WEIGHTS).exists()

    @property
    def training_command(self) -> str:
        config = self.record.config
        where = ["--data", f"data/{self.record.data.name}", "--output", str(self.folder)]
        return shlex.join(["cifarbench", "train", *flags(config), *file_flags(config.model), *where])


def choose(runs: Path, wanted: Sequence[str], dataset: str | None = None) -> list[Trained]:
    """Return the runs asked for, each once. Raise UserError for one that is not there or cannot be used.

    `best` is the run with the highest validation accuracy; test images have no say in it.
    """
    chosen: dict[Path, Trained] = {}
    for word in wanted:
        found = of_one_dataset(runs, dataset) if word in (BEST, ALL) else [named(runs, word)]
        for trained in [best(found)] if word == BEST else found:
            chosen[trained.folder] = trained
    return list(chosen.values())


def with_record(runs: Path, word: str) -> Trained:
    """Return the run of that id, or in that folder; whether it has weights or not."""
    folder = runs / word if (runs / word).is_dir() or not Path(word).is_dir() else Path(word)
    if not (folder / RECORD).exists():
        there = [path.parent.name for path in runs.glob(f"*/{RECORD}")]
        others = suggest(word, [BEST, ALL, *there]) if len(there) < 20 else "; `cifarbench status` names all"
        raise UserError(f"run: {word!r} has no record in {runs}{others}")
    return Trained(folder, read_record(folder / RECORD))


def named(runs: Path, word: str) -> Trained:
    trained = with_record(runs, word)
    if trained.record.status == "diverged":
        raise UserError(f"run: {word!r} diverged, so its weights say nothing; choose another")
    if not trained.usable:
        adopted = trained.record.adopted
        because = f", because it was adopted from {adopted.source}" if adopted else ""
        raise UserError(
            f"run: {word!r} has no {WEIGHTS} in {trained.folder}{because}; "
            f"train it with `{trained.training_command}`"
        )
    return trained


def of_one_dataset(runs: Path, dataset: str | None) -> list[Trained]:
    """Return all usable runs, in the order of their ids, and tell of those that have no weights.

    Raise UserError if none is usable, or they are of several data sets.
    """
    done = [t for t in every(runs) if t.record.status == "completed"]
    names = sorted({t.record.data.name for t in done if t.usable} or {t.record.data.name for t in done})
    if dataset is None and len(names) > 1:
        raise UserError(f"dataset: the runs in {runs} are of several ({', '.join(names)}); choose one")
    if dataset is not None and names and dataset not in names:
        raise UserError(f"dataset: no run in {runs} was trained on {dataset!r}{suggest(dataset, names)}")
    found = [t for t in done if t.record.data.name == (dataset or names[0])]
    without = [t for t in found if not t.usable]
    if len(without) == len(found):
        how = train_one(without) if without else "train some, or name another folder with --runs"
        raise UserError(f"{runs}: holds no trained run with {WEIGHTS}; {how}")
    if without:
        log.warning("%s without %s left out; %s", count(len(without), "run"), WEIGHTS, train_one(without))
    return [t for t in found if t.usable]


def train_one(without: list[Trained]) -> str:
    """Say how to train the best of runs that have no weights, such as adopted ones."""
    first = max(without, key=lambda trained: validation_accuracy(trained.record))
    return f"train the best with `{first.training_command}`"


def every(runs: Path) -> list[Trained]:
    """Return every run that has a record."""
    return [Trained(path.parent, read_record(path)) for path in sorted(runs.glob(f"*/{RECORD}"))]


def best(found: list[Trained]) -> Trained:
    # Where test images chose the epoch, they would have a say in the choice of the run as well.
    fair = [t for t in found if t.record.final.validation and t.record.final.chosen_by != "best_test"]
    if not fair:
        raise UserError("run: 'best' needs runs with validation images; name one by its id")
    return max(fair, key=lambda trained: validation_accuracy(trained.record))


def validation_accuracy(record: Record) -> float:
    return record.final.validation.top1 if record.final.validation else 0.0


def manifest_of(record: Record, data: Path) -> Manifest:
    """Return the manifest of the images that a run was trained on. Raise UserError if others lie there."""
    folder = data / record.data.name
    manifest = read_manifest(folder)
    if manifest.images_sha256 != record.data.images_sha256:
        raise UserError(
            f"{folder}: is not the data that run {record.run!r} was trained on; normalise that again"
        )
    return manifest
