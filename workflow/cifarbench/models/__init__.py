"""Models: one file each, built here with the knobs that hold for all of them.

Adding a model is adding a file; `model_files` says what stands in it. Images are (N, 3, 32, 32).
"""

import importlib.util
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..errors import UserError
from ..knobs import TrainConfig
from ..model_files import BUILTIN_MODELS, check_model_knobs

IMAGE_SHAPE = (3, 32, 32)


def build_model(config: TrainConfig, classes: int, file: Path | None = None) -> nn.Module:
    """Build the model that a config names, on the CPU, drawing its weights from torch's default generator.

    `file` holds a model of the user's own; without it the name must be a built-in one.
    """
    path = file or BUILTIN_MODELS[config.model]
    chosen = check_model_knobs(config, path)
    model = _load(path).build(classes, **chosen)
    _set_batch_norm(model, config)
    if config.resolved("initialization") == "glorot_uniform":
        model.apply(_glorot)
    _check_output(model, classes, path)
    return model


def _load(path: Path) -> ModuleType:
    if path in BUILTIN_MODELS.values():
        return importlib.import_module(f"{__name__}.{path.stem}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # a .py path always has both
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class FrozenBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm in inference mode also while training: a learned scale and shift, statistics 0 and 1."""

    def train(self, mode: bool = True) -> "FrozenBatchNorm2d":
        super().train(False)
        return self


def _set_batch_norm(model: nn.Module, config: TrainConfig) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if not isinstance(child, nn.BatchNorm2d):
                continue
            child.momentum = config.resolved("batch_norm_momentum")
            child.eps = config.resolved("batch_norm_eps")
            if config.batch_norm == "frozen":
                setattr(parent, name, FrozenBatchNorm2d(child.num_features, child.eps, child.momentum))


def _glorot(module: nn.Module) -> None:
    """Keras' defaults: kernels uniform within sqrt(6 / (fan_in + fan_out)), biases zero."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def _check_output(model: nn.Module, classes: int, path: Path) -> None:
    training = model.training
    shape = tuple(model.eval()(torch.zeros(2, *IMAGE_SHAPE)).shape)
    model.train(training)
    if shape != (2, classes):
        raise UserError(f"{path}: build() gave an output of shape {shape}; it must be {(2, classes)}")


def last_layer(model: nn.Module) -> nn.Linear:
    """Return the last linear layer, the one that `last_layer_l2` holds down."""
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise UserError("last_layer_l2: this model has no linear layer to hold down; set it to 0")
    return linear[-1]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return (all parameters with BatchNorm's running mean and variance, the trainable ones)."""
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    running = sum(b.numel() for name, b in model.named_buffers() if "num_batches" not in name)
    return sum(p.numel() for p in model.parameters()) + running, trainable


def count_flops(model: nn.Module) -> int:
    """Count floating-point operations of the forward pass on one image; a multiply-add is two."""
    training = model.training
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model.eval()(torch.zeros(1, *IMAGE_SHAPE))
    model.train(training)
    return counter.get_total_flops()


def layer_table(model: nn.Module) -> list[tuple[str, str, tuple[int, ...], int]]:
    """Return (name, layer, output shape without the batch, parameters) of each layer, in order of use."""
    rows: list[tuple[str, str, tuple[int, ...], int]] = []

    def note(name: str, module: nn.Module) -> Any:
        def hook(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            rows.append((name, repr(module), tuple(output.shape[1:]), count_parameters(module)[0]))

        return module.register_forward_hook(hook)

    leaves = [(name, m) for name, m in model.named_modules() if name and not list(m.children())]
    handles = [note(name, module) for name, module in leaves]
    with torch.no_grad():
        model.eval()(torch.zeros(1, *IMAGE_SHAPE))
    for handle in handles:
        handle.remove()
    return rows


def scaled(channels: int, width: float) -> int:
    """Return a number of channels times a width, rounded; at least 1."""
    return max(1, math.floor(channels * width + 0.5))


def activation_layer(name: str) -> nn.Module:
    """Return a non-linearity; leaky_relu has PyTorch's slope of 0.01."""
    layers = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    return layers[name]()
