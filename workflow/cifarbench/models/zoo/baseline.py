"""One 5x5 convolution with BatchNorm and two linear layers: the least that may be called a CNN."""

from torch import nn

from cifarbench.models.layers import activation_layer, scaled


def build(
    classes: int, *, width: float = 1.0, activation: str = "relu", dropout: float = 0.2, image_size: int = 32
) -> nn.Module:
    channels, hidden = scaled(6, width), scaled(128, width)
    return nn.Sequential(
        nn.Conv2d(3, channels, 5, padding="same"),
        nn.BatchNorm2d(channels),
        activation_layer(activation),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
        nn.Flatten(),  # (N, channels, 16, 16) -> (N, 256 channels)
        nn.Linear((image_size // 2) ** 2 * channels, hidden),
        activation_layer(activation),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )
