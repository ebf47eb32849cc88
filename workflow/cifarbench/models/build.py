"""Models: one file each, built here with the knobs that hold for all of them.

Adding a model is adding a file; `catalogue` says what stands in it. Images are (N, 3, side, side).
"""

import importlib
import json
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from cifarbench.config.benchmark import SIDE
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.catalogue import (
    SIDE_ARGUMENT,
    ModelSource,
    asks_for_side,
    check_model_knobs,
    is_own,
    source_of,
)
from cifarbench.models.from_library import build_from_library
from cifarbench.models.libraries import LibraryModel, library_of
from cifarbench.models.own import folder_on_path, import_file, naming_the_place

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)  # lazy ones become these
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def build_model(config: TrainConfig, classes: int, file: Path | None = None, side: int = SIDE) -> nn.Module:
    """Build the model that a config names, on the CPU, drawing its weights from torch's default generator.

    `file` holds a model of the user's own; without it the name must be a built-in one. Images have `side`
    pixels when they come. Raise UserError for a model that cannot train.
    """
    source = source_of(config.model, own=file)
    chosen = check_model_knobs(config, source)
    with folder_on_path(file) if file else nullcontext():
        model = _built(source, classes, config.image_size or side, chosen)
        if config.image_size:
            model.register_forward_pre_hook(partial(resized, side=config.image_size))
        # Lazy layers get their shapes.
        check_forward(model, classes, source, side, training=False, resized_to=config.image_size)
        set_batch_norm(model, config)
        initialise = INITIALIZATIONS.get(config.resolved("initialization"))
        if initialise:
            model.apply(initialise)
    # As it trains, when nothing beside its file can be imported any more.
    check_forward(model, classes, source, side, training=True)
    return model.train()


def _built(source: ModelSource, classes: int, side: int, knobs: dict[str, Any]) -> nn.Module:
    if isinstance(source, LibraryModel):
        given = json.loads(knobs.get("model_args") or "{}")
        with naming_the_place(source, "cannot be built"):
            return build_from_library(source, classes, side, given, knobs.get("stem"))
    if is_own(source):
        module = import_file(source)
    else:
        module = importlib.import_module(f"cifarbench.models.zoo.{source.stem}")
    if asks_for_side(source):
        knobs = {**knobs, SIDE_ARGUMENT: side}
    with naming_the_place(source, "build() fails"):
        model = module.build(classes, **knobs)
    if not isinstance(model, nn.Module):
        raise UserError(f"{source}: build() gave {type(model).__name__}; it must give a torch.nn.Module")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(f"{source}: build() gave a model without parameters to train")
    return model


def resized(_model: nn.Module, arguments: tuple[Tensor], side: int) -> Tensor:
    """Resize what a model is given."""
    return interpolated(*arguments, side)


def interpolated(images: Tensor, side: int) -> Tensor:
    """Resize images (N, 3, H, W) to `side` pixels: bilinear, smoothed where that makes them smaller."""
    smaller = side < images.shape[-1]
    return nn.functional.interpolate(images, (side, side), mode="bilinear", antialias=smaller)


def check_forward(
    model: nn.Module,
    classes: int,
    source: ModelSource,
    side: int,
    training: bool,
    images: int = 2,
    resized_to: int | None = None,
) -> None:
    """Run the model on some images, all zero, and leave it as it was. Raise UserError if that fails.

    `resized_to` says to how many pixels the model itself resizes them.
    """
    mode, shape = "training" if training else "evaluation", (images, 3, side, side)
    on = f"{mode} mode on images {shape}" + (f", resized to {resized_to} pixels" if resized_to else "")
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()} if training else {}
    model.train(training)
    with naming_the_place(source, f"forward() fails in {on}"):
        output = model(torch.zeros(shape))
    for name, buffer in model.named_buffers() if training else ():
        buffer.copy_(buffers[name])
    dtype = torch.get_default_dtype()
    wanted = f"a tensor of shape {(images, classes)} in {str(dtype).removeprefix('torch.')}"
    if not isinstance(output, Tensor):
        found = type(output).__name__
    elif output.shape != (images, classes):
        found = f"an output of shape {tuple(output.shape)}"
    elif output.dtype != dtype:
        found = f"an output in {str(output.dtype).removeprefix('torch.')}"
    elif training and not output.requires_grad:
        found, wanted = "an output that has no gradient", "computed from the parameters, not detached"
    elif any(isinstance(parameter, UninitializedParameter) for parameter in model.parameters()):
        found, wanted = "no shape to a lazy layer", "reached by the images, or not be there"
    else:
        return
    raise UserError(f"{source}: forward() gave {found} in {mode} mode; it must be {wanted}")


def keeps_initial_weights(config: TrainConfig) -> bool:
    """Tell whether a library's model keeps those that the library draws, which have no one name."""
    return library_of(config.model) is not None and config.resolved("initialization") not in INITIALIZATIONS


def batch_norms(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, BATCH_NORMS)]


def batch_norm_in_force(model: nn.Module) -> dict[str, float | None]:
    """Return the knobs of BatchNorm as they are in the model; None without one, or where they differ."""
    found = {name: {getattr(norm, name) for norm in batch_norms(model)} for name in ("momentum", "eps")}
    return {f"batch_norm_{name}": min(values) if len(values) == 1 else None for name, values in found.items()}


def set_batch_norm(model: nn.Module, config: TrainConfig) -> None:
    """Do to every BatchNorm what the config says; where it says nothing, the model keeps its own."""
    norms, changed = batch_norms(model), config.changed()
    running = [norm for norm in norms if norm.running_mean is not None]
    for name, affected, what in (
        ("batch_norm", running, "BatchNorm with running statistics"),
        ("batch_norm_momentum", running, "BatchNorm with running statistics"),
        ("batch_norm_eps", norms, "BatchNorm"),
    ):
        if name in changed and not affected:
            raise UserError(
                f"{name}: {changed[name]!r} has no effect on model {config.model!r}, which has no {what}; "
                "remove it"
            )
    for norm in norms:
        for name in ("momentum", "eps"):
            value = config.resolved(f"batch_norm_{name}")
            setattr(norm, name, getattr(norm, name) if value is None else value)
        if config.batch_norm == "frozen":
            freeze(norm)


def freeze(norm: nn.Module) -> None:
    """Keep a BatchNorm in evaluation mode for good: a learned scale and shift, statistics as they are."""
    norm.eval()
    norm.train = MethodType(_stay, norm)  # type: ignore[method-assign]


def _stay(norm: nn.Module, mode: bool = True) -> nn.Module:
    return norm


def _glorot(module: nn.Module) -> None:
    """Keras' defaults: kernels uniform within sqrt(6 / (fan_in + fan_out)), biases zero."""
    if isinstance(module, (*CONVOLUTIONS, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _dirac(module: nn.Module) -> None:
    """Let as many channels of a convolution as it can pass on what comes in; the others stay as they are.

    Zagoruyko and Komodakis, DiracNets, 2017; as in airbench (Jordan, 2024).
    """
    if isinstance(module, CONVOLUTIONS) and module.groups == 1:
        nn.init.dirac_(module.weight.data[: module.weight.shape[1]])


INITIALIZATIONS = {"glorot_uniform": _glorot, "dirac": _dirac}


def with_weights(model: nn.Module) -> list[nn.Module]:
    """Return the layers with a weight of two dimensions or more, in order.

    What only holds a class token or positions beside its layers is none itself.
    """
    return [module for module in model.modules() if matrices(module)]


def matrices(layer: nn.Module) -> list[nn.Parameter]:
    """Return a layer's own weights of two dimensions or more; in PyTorch they are named so."""
    own = layer.named_parameters(recurse=False)
    return [parameter for name, parameter in own if "weight" in name and parameter.ndim > 1]


def last_layer(model: nn.Module) -> nn.Module | None:
    """Return the layer that gives the classes: the last linear one, or the last of all without any."""
    layers = with_weights(model)
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    return (linear or layers or [None])[-1]
