"""Several short trainings in one process, so that imports, set-up and a cluster's queue are paid for once.

Each run of a pack is trained into `results/runs/<id>/packed`, where Snakemake, which removes the outputs of
a job before it runs, does not reach. The job of the run itself then takes the finished result from there,
and trains only what no pack has trained. So a pack may lose or gain members and nothing is trained twice.
"""

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cifarbench.config.ids import run_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.manifest import manifest_sha256, read_manifest
from cifarbench.errors import PrintableFormatter, UserError
from cifarbench.models.sources import model_sha256
from cifarbench.records.folder import CHECKPOINT, LOG, PACKED, PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.heartbeat import heartbeat
from cifarbench.records.record import read_record

log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A run to be trained: its config, and the file of its model if that is the user's own."""

    config: TrainConfig
    model_file: Path | None


def train_pack(
    jobs: Sequence[Job],
    data_folder: Path,
    runs_folder: Path,
    threads: int,
    checkpoint_seconds: float,
    listeners: Callable[[Path], Sequence[Any]] = lambda _: (),
) -> None:
    """Train each run that has no current result yet. One that fails is left to the job of its own.

    `listeners` makes those of a run from its folder.

    Raise Interrupted, with everything saved, when a signal asks to stop.
    """
    from cifarbench.training.train import train

    for config, model_file in jobs:
        output = runs_folder / run_id(config)
        if is_current(output, data_folder, config, model_file) or is_current(
            output / PACKED, data_folder, config, model_file
        ):
            log.info("%s: done already", run_id(config))
            continue
        log.info("%s", run_id(config))
        with also_logging_to(output / PACKED / LOG):
            try:
                with heartbeat(output):
                    told = listeners(output)
                    train(config, data_folder, output / PACKED, model_file, threads, checkpoint_seconds, told)
            except Exception as error:
                log.warning("%s: failed here, left to its own job: %s", run_id(config), error)


def take_packed(config: TrainConfig, model_file: Path | None, data_folder: Path, output: Path) -> bool:
    """Move what a pack has trained for this run into `output`; tell whether it was a finished result.

    Of an unfinished one the checkpoint is moved, so that the training goes on from there.
    """
    packed, results = output / PACKED, (WEIGHTS, PREDICTIONS, RECORD)
    if not packed.exists():
        return False
    whole = all((packed / name).exists() for name in results)  # a move that was killed leaves only some
    current = whole and is_current(packed, data_folder, config, model_file)
    if current:
        for name in results:  # the record last: with it the run is done
            (packed / name).replace(output / name)
        for line in (packed / LOG).read_text(encoding="utf-8").splitlines():
            log.info("in a pack, %s", line)
    elif (packed / CHECKPOINT).exists() and not (output / CHECKPOINT).exists():
        (packed / CHECKPOINT).replace(output / CHECKPOINT)
    shutil.rmtree(packed)
    return current


def is_current(folder: Path, data_folder: Path, config: TrainConfig, model_file: Path | None) -> bool:
    """Tell whether `folder` holds the record of this run, from and on this data and from this model file."""
    path = folder / RECORD
    if not path.exists():
        return False
    try:
        record = read_record(path)
    except UserError as error:  # of one run; the others are none the worse for it
        log.warning("%s; trained again", error)
        return False
    same_model = model_file is None or record.code.model_sha256 == model_sha256(model_file)
    same_data = record.data.manifest_sha256 == manifest_sha256(data_folder)
    same_tests = all(
        test.images_sha256 == read_manifest(data_folder.parent / test.name).images_sha256
        for test in record.final.extra_tests
    )
    return record.run == run_id(config) and same_model and same_data and same_tests


@contextmanager
def also_logging_to(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(PrintableFormatter())
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        handler.close()
