"""AlexNet (Krizhevsky et al., 2012) cut down to 32x32: five 3x3 convolutions, three linear layers."""

from torch import nn

from cifarbench.models.layers import activation_layer, scaled


def build(
    classes: int, *, width: float = 1.0, activation: str = "relu", dropout: float = 0.5, image_size: int = 32
) -> nn.Module:
    c1, c2, c3, hidden = (scaled(n, width) for n in (96, 256, 384, 2048))

    side = image_size
    for border in (2, 2, 0):  # that convolutions cut off before each pooling
        side = (side - border - 1) // 2

    def conv(inputs: int, outputs: int, *between: nn.Module, padding: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=padding), *between, activation_layer(activation)]

    def linear(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, hidden), activation_layer(activation), nn.Dropout(dropout)]

    return nn.Sequential(
        *conv(3, c1, nn.BatchNorm2d(c1), padding=0),  # (N, 3, 32, 32) -> (N, c1, 30, 30)
        nn.MaxPool2d(3, 2),
        *conv(c1, c2, nn.BatchNorm2d(c2), padding=0),  # (N, c1, 14, 14) -> (N, c2, 12, 12)
        nn.MaxPool2d(3, 2),
        *conv(c2, c3, padding=1),  # (N, c2, 5, 5) -> (N, c3, 5, 5)
        *conv(c3, c3, padding=1),
        *conv(c3, c2, padding=1),
        nn.MaxPool2d(3, 2),
        nn.Flatten(),  # (N, c2, 2, 2) -> (N, 4 c2)
        *linear(side**2 * c2),
        *linear(hidden),
        nn.Linear(hidden, classes),
    )
