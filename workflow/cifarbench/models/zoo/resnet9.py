"""ResNet-9 (Page, "How to train your ResNet", 2018): the short net that began the CIFAR-10 speed records.

Layers as in https://github.com/davidcpage/cifar10-fast; the last layer has no bias and its output is
multiplied by 0.125.
"""

from torch import Tensor, nn

from cifarbench.models.layers import activation_layer, scaled


class Residual(nn.Module):
    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def build(classes: int, *, width: float = 1.0, activation: str = "relu", image_size: int = 32) -> nn.Module:
    c1, c2, c3, c4 = (scaled(n, width) for n in (64, 128, 256, 512))

    def conv(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation_layer(activation),
        )

    return nn.Sequential(
        conv(3, c1),
        conv(c1, c2),
        nn.MaxPool2d(2),  # (N, c2, 16, 16)
        Residual(conv(c2, c2), conv(c2, c2)),
        conv(c2, c3),
        nn.MaxPool2d(2),  # (N, c3, 8, 8)
        conv(c3, c4),
        nn.MaxPool2d(2),  # (N, c4, 4, 4)
        Residual(conv(c4, c4), conv(c4, c4)),
        nn.MaxPool2d(image_size // 8),
        nn.Flatten(),  # (N, c4)
        nn.Linear(c4, classes, bias=False),
        Scale(0.125),
    )
