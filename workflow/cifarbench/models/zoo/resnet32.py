"""ResNet-32 for CIFAR (He et al., 2016, section 4.2): 32 layers, 0.46 million parameters."""

from torch import nn

from cifarbench.models.zoo._cifar_resnet import cifar_resnet


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    return cifar_resnet(classes, 32, width, activation)
