"""ResNet-18 (He et al., 2016) for 32x32: a 3x3 stem, eight basic blocks, average pooling.

Strided convolutions pad one pixel on each side, as PyTorch does; Keras pads only right and below.
"""

from torch import Tensor, nn

from cifarbench.models.layers import activation_layer, scaled


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, which is a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation_layer(activation),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(outputs))
        self.activation = activation_layer(activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.residual(x) + self.shortcut(x))


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    stem = scaled(64, width)
    layers: list[nn.Module] = [nn.Conv2d(3, stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem)]
    layers += [activation_layer(activation)]
    features = stem
    for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        outputs = scaled(channels, width)
        layers.append(BasicBlock(features, outputs, stride, activation))
        layers.append(BasicBlock(outputs, outputs, 1, activation))
        features = outputs
    # (N, 512, 4, 4) -> (N, 512)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))
