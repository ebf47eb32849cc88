"""TensorBoard: events in `tensorboard/` of the run's folder, for `tensorboard --logdir results/runs`."""

import copy
import logging
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from cifarbench.config.knobs import TrainConfig
from cifarbench.records.record import Epoch, Record
from cifarbench.tracking.facts import final_metrics, hyper_parameters, of_epoch
from cifarbench.tracking.mistakes import mistakes

FOLDER = "tensorboard"

log = logging.getLogger(__name__)


class TensorBoard:
    name = "tensorboard"
    is_tracker = True

    def __init__(self, run_folder: Path, gradients: bool) -> None:
        self.folder, self.gradients = run_folder / FOLDER, gradients
        self.model: nn.Module | None = None
        self.writer: SummaryWriter | None = None

    def started(self, config: TrainConfig, model: nn.Module | None, progress: Any, _images: int) -> None:
        if not progress.epochs:  # of an earlier training of this run
            shutil.rmtree(self.folder, ignore_errors=True)
        self.model = model
        self.writer = SummaryWriter(str(self.folder))

    def epoch_ended(self, epoch: Epoch, images: int) -> None:
        assert self.writer is not None
        for name, value in of_epoch(epoch, images, self.model if self.gradients else None).items():
            self.writer.add_scalar(name, value, epoch.epoch)

    def ended(self, record: Record, folder: Path, data_folder: Path) -> None:
        assert self.writer is not None
        last = record.final.epoch
        for n, mistake in enumerate(mistakes(record, folder, data_folder)):
            tag = f"wrong/{n:02}: {mistake.truth}, not {mistake.answer}"
            self.writer.add_image(tag, torch.tensor(mistake.image), last)
        self.write_graph(record.data.image_size)
        self.writer.add_hparams(hyper_parameters(record.config), final_metrics(record), run_name=".")

    def write_graph(self, side: int) -> None:
        if self.model is None:  # a record has none
            return
        plain = copy.deepcopy(self.model).cpu().eval()
        example = torch.zeros(1, 3, side, side, dtype=next(plain.parameters()).dtype)
        try:
            assert self.writer is not None
            self.writer.add_graph(plain, example)
        except Exception as error:  # a model that cannot be traced; the rest is of use without
            log.warning("tensorboard: no graph of this model: %s", str(error).splitlines()[0])

    def closed(self) -> None:
        if self.writer:
            self.writer.close()
