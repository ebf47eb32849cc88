"""What `cifarbench models` prints: all models with their sizes, or the layers of one."""

from pathlib import Path

import torch

from cifarbench.config.knobs import TrainConfig
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS, model_knobs, model_summary
from cifarbench.models.measure import count_flops, count_parameters, layer_table


def print_models(classes: int) -> None:
    print(f"{'model':<12} {'parameters':>12} {'trainable':>12} {'MFLOPs':>9}  knobs; what it is")
    for name, path in BUILTIN_MODELS.items():
        model = build_model(TrainConfig(model=name), classes)
        total, trainable = count_parameters(model)
        knobs = ", ".join(model_knobs(path))
        print(f"{name:<12} {total:>12,} {trainable:>12,} {count_flops(model) / 1e6:>9.1f}  {knobs}")
        print(f"{'':<50}{model_summary(path)}")
    print("parameters count BatchNorm's running statistics; MFLOPs are of the forward pass on one image")


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
