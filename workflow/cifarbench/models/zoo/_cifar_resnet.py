"""The ResNets that He et al. (2016) made for CIFAR-10, section 4.2: three stages of 16, 32 and 64 channels.

A shortcut that changes the shape has no weights: it takes every other pixel and pads channels with zeros.
Published error on CIFAR-10, with flips and shifts, momentum 0.9, weight decay 0.0001 and 64,000 steps of 128
images at rates of 0.1, 0.01 and 0.001: 8.75 % (20 layers), 7.51 % (32), 7.17 % (44), 6.97 % (56) and 6.61 +-
0.16 % (110, which begins at 0.01).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from cifarbench.models.layers import activation_layer, scaled


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut without weights."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation_layer(activation),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.stride, self.extra = stride, outputs - inputs
        self.activation = activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))
        return self.activation(self.residual(x) + shortcut)


def cifar_resnet(classes: int, depth: int, width: float, activation: str) -> nn.Module:
    """Build one of `depth` layers, 6 n + 2."""
    features = scaled(16, width)
    layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1, bias=False), nn.BatchNorm2d(features)]
    layers += [activation_layer(activation)]
    for channels, first_stride in ((16, 1), (32, 2), (64, 2)):
        outputs = scaled(channels, width)
        for number in range((depth - 2) // 6):
            layers.append(BasicBlock(features, outputs, 1 if number else first_stride, activation))
            features = outputs
    # (N, 64, 8, 8) -> (N, 64)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))
