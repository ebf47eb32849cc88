"""The network of airbench94 (Jordan, "94% on CIFAR-10 in 3.29 seconds", 2024, arXiv 2404.00498, section 3.1).

A 2x2 convolution, three blocks of two 3x3 ones and a linear layer, whose output is divided by 9. Its norms
learn a shift and no scale. What the paper does to this network is asked for by knobs: `whitening`,
`initialization: dirac`, `batch_norm_momentum: 0.4`.
"""

from torch import Tensor, nn

from cifarbench.models.layers import activation_layer, scaled


class Divide(nn.Module):
    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, x: Tensor) -> Tensor:
        return x / self.by


def norm(channels: int) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(channels)
    layer.weight.requires_grad_(False)
    return layer


def build(classes: int, *, width: float = 1.0, activation: str = "gelu", image_size: int = 32) -> nn.Module:
    c1, c2 = scaled(64, width), scaled(256, width)

    def block(inputs: int, outputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.MaxPool2d(2),
            norm(outputs),
            activation_layer(activation),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            norm(outputs),
            activation_layer(activation),
        )

    return nn.Sequential(
        nn.Conv2d(
            3, 24, 2
        ),  # (N, 3, 32, 32) -> (N, 24, 31, 31): 12 ways in which a patch varies, and minus each
        activation_layer(activation),
        block(24, c1),  # (N, c1, 15, 15)
        block(c1, c2),  # (N, c2, 7, 7)
        block(c2, c2),  # (N, c2, 3, 3)
        nn.MaxPool2d((image_size - 1) // 8),
        nn.Flatten(),  # (N, c2)
        nn.Linear(c2, classes, bias=False),
        Divide(9),
    )
