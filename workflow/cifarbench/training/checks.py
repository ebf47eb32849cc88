"""What must hold before a training begins, and only data and model together can tell."""

from torch import nn

from cifarbench.config.benchmark import check_augmentation
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data
from cifarbench.errors import UserError
from cifarbench.models.build import check_forward
from cifarbench.models.catalogue import ModelSource
from cifarbench.training.optimizers import make_optimizers
from cifarbench.training.schedules import Schedule, images_per_epoch


def check_start(config: TrainConfig, data: Data, model: nn.Module, source: ModelSource) -> None:
    """Raise UserError for what would fail at the end of the first epoch, or have no effect."""
    images = len(data.train)
    check_augmentation(config, min(data.train.images.shape[2:]))
    if images_per_epoch(config, images) == 0:
        raise UserError(
            f"last_batch: 'drop' leaves no batch: there are {images} training images, and batch_size is "
            f"{config.batch_size}; lower it"
        )
    Schedule(config, images).check()
    make_optimizers(config, model)  # which refuses what finds no part of the model
    last = images_per_epoch(config, images) % config.batch_size or config.batch_size
    if last == 1:
        check_single(config, len(data.manifest.classes), model, source, data.side)


def check_single(config: TrainConfig, classes: int, model: nn.Module, source: ModelSource, side: int) -> None:
    """Raise UserError if the model cannot train on a batch of one image, as some with BatchNorm cannot."""
    try:
        check_forward(model, classes, source, side, training=True, images=1)
    except UserError as error:
        advice = "choose another, or last_batch: drop" if config.batch_size > 1 else "choose a larger one"
        raise UserError(
            f"batch_size: {config.batch_size} leaves a batch of one image, on which this model cannot train "
            f"({error}); {advice}"
        ) from error
