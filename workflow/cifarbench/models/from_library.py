"""Build the models of torchvision and timm, with random weights, for images and classes of any number."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from cifarbench.errors import UserError
from cifarbench.models.libraries import STEMS, LibraryModel, arguments, class_of

# How each class of STEMS draws its convolutions: He et al., 2015, by what goes out or what comes in.
DRAWN_BY = {"ResNet": "fan_out", "DenseNet": "fan_in"}


def build_from_library(
    source: LibraryModel, classes: int, side: int, given: Mapping[str, Any], stem: str | None
) -> nn.Module:
    """Build a model for images of `side` pixels; `given` are arguments of its own."""
    chosen = {"num_classes": classes, **_fitting(source, side), **given}
    if source.library == "timm":
        from timm import create_model

        model: nn.Module = create_model(source.name, **chosen)
    else:
        from torchvision.models import get_model

        model = get_model(source.name, weights=None, **chosen)
    if stem == "small":
        make_stem_small(model, source)
    return model


def _fitting(source: LibraryModel, side: int) -> dict[str, Any]:
    """Return those that it takes of the arguments that fit a model to its images, and give one output."""
    fitting = {"image_size": side, "img_size": side, "input_size": (side, side), "aux_logits": False}
    return {name: value for name, value in fitting.items() if name in (arguments(source) or ())}


def make_stem_small(model: nn.Module, source: LibraryModel) -> None:
    """Let a network that was made for 224 pixels begin with a 3x3 convolution that keeps all of them.

    As He et al. (2016) and Huang et al. (2017) themselves do for CIFAR.
    """
    kind = str(class_of(source))
    first, pool = STEMS[kind]
    conv = model.get_submodule(first)
    if not isinstance(conv, nn.Conv2d):
        raise UserError(
            f"stem: 'small' is not defined for {source}, which begins with several layers; remove it"
        )
    small = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, bias=conv.bias is not None)
    nn.init.kaiming_normal_(small.weight, mode=DRAWN_BY[kind], nonlinearity="relu")  # type: ignore[arg-type]
    model.set_submodule(first, small)
    model.set_submodule(pool, nn.Identity())
