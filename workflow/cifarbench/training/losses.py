"""Losses, as PyTorch has them or as Keras computes them; one for each of `config.choices`.

Targets are classes (N,), or shares of the classes (N, classes) where images are mixed.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.build import last_layer, matrices

Loss = Callable[[Tensor, Tensor], Tensor]

KERAS_EPSILON = 1e-7  # Keras clips probabilities to [1e-7, 1 - 1e-7] in its binary cross-entropy


def at_least_float32(logits: Tensor) -> Tensor:
    """Return logits of a lower precision as float32, others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def cross_entropy(logits: Tensor, targets: Tensor, config: TrainConfig) -> Tensor:
    return F.cross_entropy(logits, targets, label_smoothing=config.label_smoothing)


def mean_squared_error(logits: Tensor, targets: Tensor, _config: TrainConfig) -> Tensor:
    return squared_error(logits.softmax(1), shares(logits, targets))


def binary_cross_entropy(logits: Tensor, targets: Tensor, _config: TrainConfig) -> Tensor:
    return keras_binary_cross_entropy(logits.softmax(1), shares(logits, targets))


def mean_squared_error_index(logits: Tensor, targets: Tensor, _config: TrainConfig) -> Tensor:
    return squared_error(logits.softmax(1), class_index(logits, targets))


def binary_cross_entropy_index(logits: Tensor, targets: Tensor, _config: TrainConfig) -> Tensor:
    return keras_binary_cross_entropy(logits.softmax(1), class_index(logits, targets))


LOSSES: dict[str, Callable[[Tensor, Tensor, TrainConfig], Tensor]] = {
    "cross_entropy": cross_entropy,
    "mean_squared_error": mean_squared_error,
    "binary_cross_entropy": binary_cross_entropy,
    "mean_squared_error_index": mean_squared_error_index,
    "binary_cross_entropy_index": binary_cross_entropy_index,
}


def shares(logits: Tensor, targets: Tensor) -> Tensor:
    """Return targets as shares of the classes: one-hot where each is one class."""
    return targets if targets.is_floating_point() else F.one_hot(targets, logits.shape[1]).to(logits.dtype)


def class_index(logits: Tensor, targets: Tensor) -> Tensor:
    """The class index itself, (N, 1), set against every output: a mistake that a published study made."""
    return targets[:, None].to(logits.dtype)


def squared_error(probabilities: Tensor, targets: Tensor) -> Tensor:
    return ((probabilities - targets) ** 2).mean()


def keras_binary_cross_entropy(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Keras' formula, which unlike PyTorch's takes targets outside [0, 1]."""
    p = probabilities.clamp(KERAS_EPSILON, 1 - KERAS_EPSILON)
    return -(targets * p.log() + (1 - targets) * (1 - p).log()).mean()


def make_loss(config: TrainConfig, model: nn.Module) -> Loss:
    """Return a function from logits (N, classes) and targets to the mean loss.

    It computes in float32 or, where the logits have it, in more. As in Keras, the L2 penalty of the last
    layer is part of it, in training and in testing.
    """
    formula = LOSSES[config.loss]
    penalised = penalised_weight(model) if config.last_layer_l2 else None

    def loss(logits: Tensor, targets: Tensor) -> Tensor:
        data_loss = formula(at_least_float32(logits), targets, config)
        return data_loss if penalised is None else data_loss + config.last_layer_l2 * penalised.square().sum()

    return loss


def penalised_weight(model: nn.Module) -> Tensor:
    """Return the weights that `last_layer_l2` holds down."""
    last = last_layer(model)
    if last is None:
        raise UserError("last_layer_l2: this model has no layer with weights to hold down; set it to 0")
    return matrices(last)[0]
