"""What model files share."""

import math

from torch import nn


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times a width, rounded; at least 1."""
    return max(1, math.floor(channels * width + 0.5))


def activation_layer(name: str) -> nn.Module:
    """Return a non-linearity; leaky_relu has PyTorch's slope of 0.01."""
    layers = {
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "gelu": nn.GELU,
    }
    return layers[name]()
