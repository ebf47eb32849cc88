"""LeNet-5 for three colours (LeCun et al., 1998): two 5x5 convolutions, three linear layers.

With `conv_activation` off there is none after the convolutions; `width` 3 gives the wide one.
"""

from torch import nn

from cifarbench.models.layers import activation_layer, scaled


def build(
    classes: int,
    *,
    width: float = 1.0,
    activation: str = "relu",
    conv_activation: bool = True,
    image_size: int = 32,
) -> nn.Module:
    side = ((image_size - 4) // 2 - 4) // 2  # after both convolutions and poolings: 5 of 32
    c1, c2, f1, f2 = (scaled(n, width) for n in (6, 16, 120, 84))

    def after_conv() -> nn.Module:
        return activation_layer(activation) if conv_activation else nn.Identity()

    return nn.Sequential(
        nn.Conv2d(3, c1, 5),  # (N, 3, 32, 32) -> (N, c1, 28, 28)
        after_conv(),
        nn.MaxPool2d(2),
        nn.Conv2d(c1, c2, 5),  # (N, c1, 14, 14) -> (N, c2, 10, 10)
        after_conv(),
        nn.MaxPool2d(2),
        nn.Flatten(),  # (N, c2, 5, 5) -> (N, 25 c2)
        nn.Linear(side**2 * c2, f1),
        activation_layer(activation),
        nn.Linear(f1, f2),
        activation_layer(activation),
        nn.Linear(f2, classes),
    )
