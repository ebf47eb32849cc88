"""What every tracker writes, whatever it writes it with."""

import math
from typing import Any

from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.records.record import Epoch, Record


def of_epoch(epoch: Epoch, images: int, model: nn.Module | None) -> dict[str, float]:
    """Return an epoch's figures; with a model, the norm of its last step's gradient, too."""
    figures = {
        "loss/train": epoch.running_train_loss,
        "loss/validation": epoch.validation_loss,
        "loss/test": epoch.test_loss,
        "accuracy/train": epoch.running_train_accuracy,
        "accuracy/validation": epoch.validation_accuracy,
        "accuracy/test": epoch.test_accuracy,
        "learning_rate": epoch.learning_rate,
        "images_per_second": images / epoch.train_seconds if epoch.train_seconds else None,
        "gradient_norm": None if model is None else gradient_norm(model),
    }
    return {name: value for name, value in figures.items() if value is not None}


def gradient_norm(model: nn.Module) -> float:
    gradients = [p.grad.float().norm().item() for p in model.parameters() if p.grad is not None]
    return math.hypot(*gradients)


def hyper_parameters(config: TrainConfig) -> dict[str, Any]:
    """Return the knobs as numbers, booleans and text; those left unset are left out."""
    knobs = {name: value for name, value in config.model_dump(mode="json").items() if value is not None}
    plain = bool | int | float | str
    return {name: value if isinstance(value, plain) else str(value) for name, value in knobs.items()}


def final_metrics(record: Record) -> dict[str, float]:
    test, validation = record.final.test, record.final.validation
    figures = {
        "final/test_accuracy": test.top1,
        "final/test_loss": test.loss,
        "final/validation_accuracy": validation.top1 if validation else None,
        "final/train_seconds": record.seconds.train,
    }
    return {name: value for name, value in figures.items() if value is not None}
