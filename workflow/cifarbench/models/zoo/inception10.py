"""A ten-layer Inception net (after Szegedy et al., 2015): four units of four parallel branches.

The units of the second block have twice the channels; the first unit of a block halves the image.
"""

import torch
from torch import Tensor, nn

from cifarbench.models.layers import activation_layer, scaled


def conv(inputs: int, outputs: int, kernel: int, activation: str, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2),
        nn.BatchNorm2d(outputs),
        activation_layer(activation),
    )


class InceptionUnit(nn.Module):
    """1x1 | 1x1, 3x3 | 1x1, 5x5 | max pooling, 1x1: four branches of `channels` each, concatenated."""

    def __init__(self, inputs: int, channels: int, stride: int, activation: str) -> None:
        super().__init__()

        def narrow() -> nn.Sequential:
            return conv(inputs, channels, 1, activation, stride)

        self.branches = nn.ModuleList(
            [
                narrow(),
                nn.Sequential(narrow(), conv(channels, channels, 3, activation)),
                nn.Sequential(narrow(), conv(channels, channels, 5, activation)),
                nn.Sequential(nn.MaxPool2d(3, 1, padding=1), narrow()),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)  # (N, 4 channels, H, W)


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    features = scaled(16, width)
    layers: list[nn.Module] = [conv(3, features, 3, activation)]
    for channels in (scaled(16, width), scaled(32, width)):
        for stride in (2, 1):
            layers.append(InceptionUnit(features, channels, stride, activation))
            features = 4 * channels
    # (N, 128, 8, 8) -> (N, 128)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))
