"""What `cifarbench models` prints: all models with their sizes, or the layers of one."""

import logging
import warnings
from pathlib import Path

import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS, model_knobs, model_summary
from cifarbench.models.libraries import files_by_name
from cifarbench.models.measure import count_flops, count_parameters, layer_table

NOTE = "parameters count BatchNorm's running statistics; MFLOPs are of the forward pass on one image"


def print_models(classes: int, config: TrainConfig) -> None:
    """List our models; all but the model stands in the config."""
    print(f"{'model':<12} {'parameters':>12} {'trainable':>12} {'MFLOPs':>9}  knobs; what it is")
    for name, path in BUILTIN_MODELS.items():
        model = build_model(config.model_copy(update={"model": name}), classes)
        total, trainable = count_parameters(model)
        knobs = ", ".join(model_knobs(path))
        print(f"{name:<12} {total:>12,} {trainable:>12,} {count_flops(model) / 1e6:>9.1f}  {knobs}")
        print(f"{'':<50}{model_summary(path)}")
    print(NOTE)


def print_library(library: str, search: str, classes: int, config: TrainConfig) -> None:
    """List the models of a library whose name has `search` in it, each with its sizes or why it has none."""
    names = [f"{library}/{name}" for name in sorted(files_by_name(library)) if search in name]
    if not names:
        raise UserError(f"search: no model of {library} has {search!r} in its name; leave it out to see all")
    width = max(map(len, names))
    print(f"{'model':<{width}} {'parameters':>12} {'MFLOPs':>10}")
    for name in names:
        print(f"{name:<{width}} {_sizes(config.model_copy(update={'model': name}), classes)}", flush=True)
    print(NOTE)


def _sizes(config: TrainConfig, classes: int) -> str:
    logging.disable()  # libraries tell much while they build
    try:
        with warnings.catch_warnings(action="ignore"):
            model = build_model(config, classes)
            return f"{count_parameters(model)[0]:>12,} {count_flops(model) / 1e6:>10,.1f}"
    except UserError as error:
        return f"{'-':>12} {'-':>10}  {str(error).removeprefix(f'{config.model}: ')}"
    finally:
        logging.disable(logging.NOTSET)


def print_layers(config: TrainConfig, classes: int, file: Path | None) -> None:
    torch.manual_seed(config.seed)
    model = build_model(config, classes, file)
    rows = [
        (name, layer, " x ".join(map(str, shape)), f"{parameters:,}")
        for name, layer, shape, parameters in layer_table(model)
    ]
    header = ("name", "layer", "output", "parameters")
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    for name, layer, shape, parameters in (header, *rows):
        print(f"{name:<{widths[0]}}  {layer:<{widths[1]}}  {shape:<{widths[2]}}  {parameters:>{widths[3]}}")
    total, trainable = count_parameters(model)
    flops = count_flops(model) / 1e6
    print(f"{total:,} parameters, {trainable:,} trainable, {flops:,.1f} MFLOPs forward per image")
