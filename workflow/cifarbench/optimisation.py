"""Losses, optimizers and learning rate schedules, as PyTorch has them or as Keras computes them."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn, optim
from torch.nn import functional as F
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from .knobs import TrainConfig
from .models import last_layer

Loss = Callable[[Tensor, Tensor], Tensor]
FUSED = {
    "cpu": ("sgd", "adagrad", "adam", "adamw"),
    "cuda": ("sgd", "adam", "adamw"),
}  # PyTorch has no others
CAPTURABLE = ("rmsprop", "adadelta", "adam", "adamw")  # must be told to keep their counts on the GPU
KERAS_EPSILON = 1e-7  # Keras clips probabilities to [1e-7, 1 - 1e-7] in its binary cross-entropy


def one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, logits.shape[1]).to(logits.dtype)


def class_index(_logits: Tensor, labels: Tensor) -> Tensor:
    """The class index itself, (N, 1), set against every output: a mistake that a published study made."""
    return labels[:, None].float()


def mean_squared_error(probabilities: Tensor, targets: Tensor) -> Tensor:
    return ((probabilities - targets) ** 2).mean()


def binary_cross_entropy(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Keras' formula, which unlike PyTorch's takes targets outside [0, 1]."""
    p = probabilities.clamp(KERAS_EPSILON, 1 - KERAS_EPSILON)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def make_loss(config: TrainConfig, model: nn.Module) -> Loss:
    """Return a function from logits (N, classes) and labels (N,) to the mean loss.

    As in Keras, the L2 penalty of the last layer is part of it, in training and in testing.
    """
    loss = data_loss(config)
    if config.last_layer_l2 == 0:
        return loss
    weight = last_layer(model).weight
    return lambda logits, labels: loss(logits, labels) + config.last_layer_l2 * weight.square().sum()


def data_loss(config: TrainConfig) -> Loss:
    """Return the loss that `config.loss` names, without penalty."""
    if config.loss == "cross_entropy":
        return lambda logits, labels: F.cross_entropy(
            logits.float(), labels, label_smoothing=config.label_smoothing
        )
    targets = class_index if config.loss.endswith("_index") else one_hot
    formula = mean_squared_error if config.loss.startswith("mean_squared_error") else binary_cross_entropy

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return formula(logits.float().softmax(1), targets(logits.float(), labels))

    return loss


def make_optimizer(config: TrainConfig, model: nn.Module) -> optim.Optimizer:
    """Return the optimizer; knobs left unset follow the config's conventions."""
    eps, rho = config.resolved("optimizer_eps"), config.resolved("rho")
    start = config.resolved("initial_accumulator")
    kinds: dict[str, tuple[type[optim.Optimizer], dict[str, Any]]] = {
        "sgd": (optim.SGD, {"momentum": config.momentum, "nesterov": config.nesterov}),
        "rmsprop": (optim.RMSprop, {"alpha": rho, "eps": eps, "momentum": config.momentum}),
        "adagrad": (optim.Adagrad, {"initial_accumulator_value": start, "eps": eps}),
        "adadelta": (optim.Adadelta, {"rho": rho, "eps": eps}),
        "adam": (optim.Adam, {"eps": eps}),
        "adamw": (optim.AdamW, {"eps": eps}),
    }
    kind, own = kinds[config.optimizer]
    common: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    device = next(model.parameters()).device.type
    if config.optimizer in FUSED.get(device, ()):
        common["fused"] = True  # one kernel for all that a step does to a tensor
    elif device == "cuda" and config.optimizer in CAPTURABLE:
        common["foreach"] = True  # a kernel for all tensors at once, and none that waits for the rate
    if device == "cuda" and config.optimizer in CAPTURABLE:
        common["capturable"] = True
    return kind(model.parameters(), **common, **own)


def plain_step(optimizer: optim.Optimizer) -> Callable[[], None]:
    """Return the optimizer's step without its wrappers, which import PyTorch's compiler and record profiles.

    The import takes longer than many a training here. Schedules warn when the wrapped step is not called,
    so they are told that it was.
    """
    step = inspect.unwrap(type(optimizer).step)
    setattr(optimizer, "_opt_called", True)  # noqa: B010  # not declared, so no plain assignment

    def take() -> None:
        with torch.no_grad():
            step(optimizer)

    return take


def make_schedule(
    config: TrainConfig, optimizer: optim.Optimizer, steps_per_epoch: int
) -> LRScheduler | None:
    """Return the learning rate schedule, to be stepped after each step of the optimizer."""
    warmup = round(config.warmup_epochs * steps_per_epoch)
    steps = config.epochs * steps_per_epoch - warmup
    main: LRScheduler | None = None
    match config.schedule:
        case "multistep":
            milestones = [epoch * steps_per_epoch - warmup for epoch in config.milestones]
            main = MultiStepLR(optimizer, milestones, config.gamma)
        case "cosine":
            main = CosineAnnealingLR(optimizer, steps)
        case "one_cycle":
            main = OneCycleLR(optimizer, config.learning_rate, steps, cycle_momentum=False)
    if warmup == 0:
        return main
    rise = LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup)
    return SequentialLR(optimizer, [rise, main], [warmup]) if main else rise
