"""Weights & Biases: sent if this user is logged in, else kept in the run's folder for `wandb sync`."""

import netrc
import os
from pathlib import Path
from typing import Any

import wandb
from torch import nn

from cifarbench.config.ids import run_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.records.record import Epoch, Record
from cifarbench.tracking.facts import final_metrics, hyper_parameters, of_epoch
from cifarbench.tracking.mistakes import mistakes

PROJECT = "cifarbench"
HOST = "api.wandb.ai"


class WeightsAndBiases:
    name = "wandb"
    is_tracker = True

    def __init__(self, run_folder: Path, gradients: bool) -> None:
        self.folder, self.gradients = run_folder, gradients
        self.model: nn.Module | None = None
        self.run: Any = None

    def started(self, config: TrainConfig, model: nn.Module | None, _progress: Any, _images: int) -> None:
        self.model = model
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run = wandb.init(
            project=PROJECT,
            name=run_id(config),
            config=hyper_parameters(config),
            dir=str(self.folder),
            mode="online" if logged_in() else "offline",
            settings=wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )

    def epoch_ended(self, epoch: Epoch, images: int) -> None:
        self.run.log(of_epoch(epoch, images, self.model if self.gradients else None), step=epoch.epoch)

    def ended(self, record: Record, folder: Path, data_folder: Path) -> None:
        pictures = [
            wandb.Image(mistake.image.transpose(1, 2, 0), caption=f"{mistake.truth}, not {mistake.answer}")
            for mistake in mistakes(record, folder, data_folder)
        ]
        if pictures:
            self.run.log({"wrong": pictures})
        self.run.summary.update(final_metrics(record))

    def closed(self) -> None:
        if self.run:
            self.run.finish()
            wandb.teardown()  # until then, an offline run is not all on disk


def logged_in() -> bool:
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"] == "online"
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators(HOST) is not None
    except (OSError, netrc.NetrcParseError):
        return False
