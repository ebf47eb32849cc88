"""Wide ResNet 28-10 (Zagoruyko and Komodakis, 2016): `depth` 6 n + 4 layers, `width` times the channels.

BatchNorm and activation come before each convolution. Published error of WRN-28-10 on CIFAR-10: 4.00 %, with
36.5 million parameters, flips and shifts, Nesterov momentum 0.9, weight decay 0.0005, batches of 128, 200
epochs, and the rate of 0.1 times 0.2 after epochs 60, 120 and 160.
"""

from torch import Tensor, nn

from cifarbench.models.layers import activation_layer, scaled


class PreActivationBlock(nn.Module):
    """BatchNorm, activation, 3x3 convolution, twice; where the shape changes the shortcut is a 1x1 one of the
    activated input, else the input itself."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str, dropout: float) -> None:
        super().__init__()
        self.activated = nn.Sequential(nn.BatchNorm2d(inputs), activation_layer(activation))
        self.residual = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation_layer(activation),
            *([nn.Dropout(dropout)] if dropout else []),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        changes = stride != 1 or inputs != outputs
        self.projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        activated = self.activated(x)
        return self.residual(activated) + (self.projection(activated) if self.projection else x)


def build(
    classes: int, *, width: float = 10.0, depth: int = 28, activation: str = "relu", dropout: float = 0.0
) -> nn.Module:
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"depth {depth} is not allowed: it must be 6 n + 4, for example 16, 28 or 40")
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False)]
    features = 16
    for channels, first_stride in ((16, 1), (32, 2), (64, 2)):
        outputs = scaled(channels, width)
        for number in range((depth - 4) // 6):
            stride = 1 if number else first_stride
            layers.append(PreActivationBlock(features, outputs, stride, activation, dropout))
            features = outputs
    layers += [nn.BatchNorm2d(features), activation_layer(activation)]
    # (N, 64 width, 8, 8) -> (N, 64 width)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))
