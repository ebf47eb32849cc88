"""The trackers by name, and what they write of runs that were not tracked while they trained."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cifarbench.config.benchmark import Tracker
from cifarbench.errors import UserError, need_extra
from cifarbench.records.folder import RECORD
from cifarbench.records.record import read_record

# Module of this room and class; the name is also that of the package and of the extra.
TRACKERS: dict[Tracker, str] = {"tensorboard": "TensorBoard", "wandb": "WeightsAndBiases"}


def make_trackers(names: Iterable[Tracker], run_folder: Path, gradients: bool = False) -> list[Any]:
    """Return listeners that write into the run's folder. Raise UserError for one that is not installed."""
    made = []
    for name in names:
        need_extra(name, name)
        module = import_module(f"cifarbench.tracking.{name}")
        made.append(getattr(module, TRACKERS[name])(run_folder, gradients))
    return made


def track_records(folder: Path, data: Path, names: list[Tracker]) -> Iterator[str]:
    """Write the records in `folder`, or in its `runs`, as if they had been tracked; yield each run's id."""
    runs = folder / "runs" if (folder / "runs").is_dir() else folder
    paths = sorted(runs.glob(f"*/{RECORD}"))
    if not paths:
        raise UserError(f"{folder}: holds no records; give results, results/runs, or another such folder")
    for path in paths:
        record = read_record(path)
        for tracker in make_trackers(names, path.parent):
            tracker.started(record.config, None, SimpleNamespace(epochs=[]), record.data.train_images)
            for epoch in record.epochs:
                tracker.epoch_ended(epoch, record.data.train_images)
            tracker.ended(record, path.parent, data / record.data.name)
            tracker.closed()
        yield record.run
