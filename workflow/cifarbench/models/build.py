"""Models: one file each, built here with the knobs that hold for all of them.

Adding a model is adding a file; `model_files` says what stands in it. Images are (N, 3, 32, 32).
"""

import importlib.util
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.catalogue import BUILTIN_MODELS, check_model_knobs
from cifarbench.models.measure import IMAGE_SHAPE


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
        return importlib.import_module(f"cifarbench.models.zoo.{path.stem}")
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
