"""ResNet-18 with BatchNorm and activation before each convolution (He et al., "Identity Mappings", 2016).

The stages are those of `resnet18`, the order of layers the paper's. https://github.com/kuangliu/pytorch-cifar
gives 95.11 % on CIFAR-10 for its version, which lacks the last BatchNorm and activation.
"""

from torch import nn

from cifarbench.models.layers import activation_layer, scaled
from cifarbench.models.zoo.wide_resnet import PreActivationBlock


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    features = scaled(64, width)
    layers: list[nn.Module] = [nn.Conv2d(3, features, 3, padding=1, bias=False)]
    for channels, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        outputs = scaled(channels, width)
        layers.append(PreActivationBlock(features, outputs, stride, activation, dropout=0))
        layers.append(PreActivationBlock(outputs, outputs, 1, activation, dropout=0))
        features = outputs
    layers += [nn.BatchNorm2d(features), activation_layer(activation)]
    # (N, 512, 4, 4) -> (N, 512)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes))
