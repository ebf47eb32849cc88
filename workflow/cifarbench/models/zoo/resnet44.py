"""ResNet-44 for CIFAR (He et al., 2016, section 4.2): 44 layers, 0.66 million parameters."""

from torch import nn

from cifarbench.models.zoo._cifar_resnet import cifar_resnet


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    return cifar_resnet(classes, 44, width, activation)
