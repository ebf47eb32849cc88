"""ResNet-56 for CIFAR (He et al., 2016, section 4.2): 56 layers, 0.85 million parameters."""

from torch import nn

from cifarbench.models.zoo._cifar_resnet import cifar_resnet


def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:
    return cifar_resnet(classes, 56, width, activation)
