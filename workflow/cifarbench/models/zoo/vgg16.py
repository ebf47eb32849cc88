"""VGG-16 with BatchNorm (Simonyan and Zisserman, 2015) for 32x32: thirteen 3x3 convolutions.

`classifier` mlp ends in two hidden layers of 512, linear in none. Dropout follows each pooling and
hidden layer.
"""

from torch import nn

from cifarbench.models.layers import activation_layer, scaled

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def build(
    classes: int,
    *,
    width: float = 1.0,
    activation: str = "relu",
    dropout: float = 0.2,
    classifier: str = "mlp",
    image_size: int = 32,
) -> nn.Module:
    layers: list[nn.Module] = []
    features = 3
    for block in BLOCKS:
        for channels in (scaled(n, width) for n in block):
            layers += [nn.Conv2d(features, channels, 3, padding=1), nn.BatchNorm2d(channels)]
            layers += [activation_layer(activation)]
            features = channels
        layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]
    layers += [nn.Flatten()]  # (N, 512, 1, 1) -> (N, 512)
    features *= max(1, image_size // 32) ** 2
    if classifier == "mlp":
        for _ in range(2):
            hidden = scaled(512, width)
            layers += [nn.Linear(features, hidden), activation_layer(activation), nn.Dropout(dropout)]
            features = hidden
    return nn.Sequential(*layers, nn.Linear(features, classes))
