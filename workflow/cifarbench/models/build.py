"""Models: one file each, built here with the knobs that hold for all of them.

Adding a model is adding a file; `catalogue` says what stands in it. Images are (N, 3, 32, 32).
"""

import importlib
from contextlib import nullcontext
from pathlib import Path
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.catalogue import BUILTIN_MODELS, check_model_knobs
from cifarbench.models.measure import IMAGE_SHAPE
from cifarbench.models.own import folder_on_path, import_file, naming_the_place

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)  # lazy ones become these
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def build_model(config: TrainConfig, classes: int, file: Path | None = None) -> nn.Module:
    """Build the model that a config names, on the CPU, drawing its weights from torch's default generator.

    `file` holds a model of the user's own; without it the name must be a built-in one. Raise UserError for a
    model that cannot train.
    """
    path = file or BUILTIN_MODELS[config.model]
    chosen = check_model_knobs(config, path)
    with folder_on_path(file) if file else nullcontext():
        model = _built(path, classes, chosen)
        check_forward(model, classes, path, training=False)  # lazy layers get their shapes
        set_batch_norm(model, config)
        initialise = INITIALIZATIONS.get(config.resolved("initialization"))
        if initialise:
            model.apply(initialise)
        check_forward(model, classes, path, training=True)
    return model.train()


def _built(path: Path, classes: int, knobs: dict[str, Any]) -> nn.Module:
    if path in BUILTIN_MODELS.values():
        module = importlib.import_module(f"cifarbench.models.zoo.{path.stem}")
    else:
        module = import_file(path)
    with naming_the_place(path, "build() fails"):
        model = module.build(classes, **knobs)
    if not isinstance(model, nn.Module):
        raise UserError(f"{path}: build() gave {type(model).__name__}; it must give a torch.nn.Module")
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise UserError(f"{path}: build() gave a model without parameters to train")
    return model


def check_forward(model: nn.Module, classes: int, path: Path, training: bool, images: int = 2) -> None:
    """Run the model on some images, all zero, and leave it as it was. Raise UserError if that fails."""
    mode = "training" if training else "evaluation"
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()} if training else {}
    model.train(training)
    with naming_the_place(path, f"forward() fails in {mode} mode on images {(images, *IMAGE_SHAPE)}"):
        output = model(torch.zeros(images, *IMAGE_SHAPE))
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
    raise UserError(f"{path}: forward() gave {found} in {mode} mode; it must be {wanted}")


def batch_norms(model: nn.Module) -> list[Any]:
    return [module for module in model.modules() if isinstance(module, BATCH_NORMS)]


def batch_norm_in_force(model: nn.Module) -> dict[str, float | None]:
    """Return the knobs of BatchNorm as they are in the model; None without one, or where they differ."""
    found = {name: {getattr(norm, name) for norm in batch_norms(model)} for name in ("momentum", "eps")}
    return {f"batch_norm_{name}": min(values) if len(values) == 1 else None for name, values in found.items()}


def set_batch_norm(model: nn.Module, config: TrainConfig) -> None:
    """Do to every BatchNorm what the config says; where it says nothing, the model keeps its own."""
    norms, changed = batch_norms(model), config.changed()
    for name in ("batch_norm", "batch_norm_momentum", "batch_norm_eps"):
        if name in changed and not norms:
            raise UserError(
                f"{name}: {changed[name]!r} has no effect on model {config.model!r}, which has no BatchNorm; "
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


def last_layer(model: nn.Module) -> nn.Linear:
    """Return the last linear layer, the one that `last_layer_l2` holds down."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UserError("last_layer_l2: this model has no linear layer to hold down; set it to 0")
    return linear[-1]
