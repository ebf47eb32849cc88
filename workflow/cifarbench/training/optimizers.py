"""Optimizers, as PyTorch has them or as Keras computes them."""

from typing import Any

from torch import nn, optim

from cifarbench.config.knobs import TrainConfig

FUSED = {
    "cpu": ("sgd", "adagrad", "adam", "adamw"),
    "cuda": ("sgd", "adam", "adamw"),
}  # PyTorch has no others
CAPTURABLE = ("rmsprop", "adadelta", "adam", "adamw")  # must be told to keep their counts on the GPU


def make_optimizer(config: TrainConfig, model: nn.Module) -> optim.Optimizer:
    """Return the optimizer; knobs left unset follow the config's conventions."""
    eps, rho = config.resolved("optimizer_eps"), config.resolved("rho")
    start = config.resolved("initial_accumulator")
    kinds: dict[str, tuple[type[optim.Optimizer], dict[str, Any]]] = {
        "sgd": (optim.SGD, {"momentum": config.momentum, "nesterov": config.nesterov}),
        "rmsprop": (optim.RMSprop, {"alpha": rho, "eps": eps, "momentum": config.momentum}),
        "adagrad": (optim.Adagrad, {"initial_accumulator_value": start, "eps": eps}),
        "adadelta": (optim.Adadelta, {"rho": rho, "eps": eps}),
        "adam": (optim.Adam, {"eps": eps}),
        "adamw": (optim.AdamW, {"eps": eps}),
    }
    kind, own = kinds[config.optimizer]
    common: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    device = next(model.parameters()).device.type
    if config.optimizer in FUSED.get(device, ()):
        common["fused"] = True  # one kernel for all that a step does to a tensor
    elif device == "cuda" and config.optimizer in CAPTURABLE:
        common["foreach"] = True  # a kernel for all tensors at once, and none that waits for the rate
    if device == "cuda" and config.optimizer in CAPTURABLE:
        common["capturable"] = True
    return kind(model.parameters(), **common, **own)
