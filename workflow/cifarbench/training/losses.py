"""Losses, optimizers and learning rate schedules, as PyTorch has them or as Keras computes them."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.models.build import last_layer

Loss = Callable[[Tensor, Tensor], Tensor]


KERAS_EPSILON = 1e-7  # Keras clips probabilities to [1e-7, 1 - 1e-7] in its binary cross-entropy


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits of a lower precision as float32, others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def one_hot(logits: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, logits.shape[1]).to(logits.dtype)


def class_index(logits: Tensor, labels: Tensor) -> Tensor:
    """The class index itself, (N, 1), set against every output: a mistake that a published study made."""
    return labels[:, None].to(logits.dtype)


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
            at_least_float32(logits), labels, label_smoothing=config.label_smoothing
        )
    targets = class_index if config.loss.endswith("_index") else one_hot
    formula = mean_squared_error if config.loss.startswith("mean_squared_error") else binary_cross_entropy

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        logits = at_least_float32(logits)
        return formula(logits.softmax(1), targets(logits, labels))

    return loss
