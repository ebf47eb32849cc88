"""Optimizers, as PyTorch has them or as Keras computes them; one for each of `config.choices`."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn, optim

from cifarbench.config.knobs import TrainConfig, convention
from cifarbench.errors import UserError
from cifarbench.training.checkpoint import State
from cifarbench.training.groups import Group, hidden_matrices, parameter_groups, split
from cifarbench.training.muon import Muon
from cifarbench.training.torch_internals import plain_step


@dataclass(frozen=True)
class Kind:
    """A class of PyTorch's, the knob that each of its arguments takes, and what it can do.

    `fused` names the devices where one kernel does all that a step does to a tensor. A `capturable` one must
    be told to keep its counts on the GPU; one that is not `recordable` computes with numbers that a CUDA
    graph would freeze.
    """

    optimizer: type[optim.Optimizer]
    arguments: Mapping[str, str]
    fused: tuple[str, ...] = ()
    capturable: bool = False
    recordable: bool = True


OPTIMIZERS = {
    "sgd": Kind(optim.SGD, {"momentum": "momentum", "nesterov": "nesterov"}, fused=("cpu", "cuda")),
    "rmsprop": Kind(
        optim.RMSprop, {"alpha": "rho", "eps": "optimizer_eps", "momentum": "momentum"}, capturable=True
    ),
    "adagrad": Kind(
        optim.Adagrad,
        {"initial_accumulator_value": "initial_accumulator", "eps": "optimizer_eps"},
        fused=("cpu",),
        recordable=False,
    ),
    "adadelta": Kind(optim.Adadelta, {"rho": "rho", "eps": "optimizer_eps"}, capturable=True),
    "adam": Kind(optim.Adam, {"eps": "optimizer_eps"}, fused=("cpu", "cuda"), capturable=True),
    "adamw": Kind(optim.AdamW, {"eps": "optimizer_eps"}, fused=("cpu", "cuda"), capturable=True),
    "muon": Kind(Muon, {"momentum": "momentum", "nesterov": "nesterov", "norm": "muon_norm"}),
}


class Optimizers:
    """The optimizers of a model, as one. The rate of a parameter group is the schedule's times its `scale`.

    `way` tells how a step is computed: `fused`, `foreach` (all tensors at once), or by PyTorch's `default`.
    """

    def __init__(self, *parts: optim.Optimizer) -> None:
        self.parts = parts
        self.steps = [plain_step(part) for part in parts]
        self.way = next((way for way in ("fused", "foreach") if self.groups[0].get(way)), "default")

    @property
    def groups(self) -> list[Group]:
        return [group for part in self.parts for group in part.param_groups]

    def prepare(self, step: int, rate: float) -> None:
        """Set what depends on the step, counted from 0: the rate, and Adam's epsilon where Keras has it.

        Keras adds it to the root of the second moment before its bias is corrected: "epsilon hat" of Kingma
        and Ba, 2015, just before section 2.1. That is PyTorch's formula with another epsilon at each step.
        """
        for group in self.groups:
            group["lr"] = rate * group["scale"]
            if "uncorrected_eps" in group:
                group["eps"] = group["uncorrected_eps"] / math.sqrt(1 - group["betas"][1] ** (step + 1))

    def zero_grad(self) -> None:
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        for step in self.steps:
            step()

    def state(self) -> State:
        return {str(number): part.state_dict() for number, part in enumerate(self.parts)}

    def load(self, state: State) -> None:
        for number, part in enumerate(self.parts):
            part.load_state_dict(copy.deepcopy(state[str(number)]))  # which would share its tensors
        if self.way == "default":
            self.without_tricks()

    def without_tricks(self) -> None:
        """Leave it to PyTorch how a step is computed, as on hardware where the fast ways fail."""
        self.way = "default"
        for group in self.groups:
            group.update({name: None for name in ("fused", "foreach") if name in group})
            group.update({name: False for name in ("capturable",) if name in group})


def make_optimizers(config: TrainConfig, model: nn.Module) -> Optimizers:
    """Return the optimizers of a model; knobs left unset follow the config's conventions.

    Raise UserError where Muon finds nothing to work on.
    """
    groups = parameter_groups(config, model)
    if config.eps_beside == "uncorrected":
        for group in groups:
            group["uncorrected_eps"] = config.resolved("optimizer_eps")
    if config.optimizer != "muon":
        return Optimizers(make_optimizer(config, config.optimizer, groups))
    rest, hidden = split(groups, hidden_matrices(model))
    if not hidden:
        raise UserError("optimizer: 'muon' needs a layer before the last one; choose another optimizer")
    return Optimizers(make_optimizer(config, config.muon_rest, rest), make_optimizer(config, "muon", hidden))


def make_optimizer(config: TrainConfig, name: str, groups: list[Group]) -> optim.Optimizer:
    kind = OPTIMIZERS[name]
    device = next(tensor.device.type for group in groups for tensor in group["params"])
    own = {argument: in_force(config, name, knob) for argument, knob in kind.arguments.items()}
    tricks: dict[str, Any] = {}
    if device in kind.fused:
        tricks["fused"] = True
    elif device == "cuda" and kind.capturable:
        tricks["foreach"] = True  # a kernel for all tensors at once, and none that waits for the rate
    if device == "cuda" and kind.capturable:
        tricks["capturable"] = True
    common: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    return kind.optimizer(groups, **common, **tricks, **own)


def in_force(config: TrainConfig, optimizer: str, knob: str) -> Any:
    """Return what a knob is for an optimizer, which may be the one beside the config's own."""
    value = getattr(config, knob)
    return convention(config.conventions, optimizer, knob) if value is None else value


def state_tensors(optimizers: Optimizers) -> list[dict[Any, dict[str, Tensor]]]:
    """Return the tensors that each optimizer keeps for each parameter, by name."""
    return [
        {
            parameter: {name: value for name, value in values.items() if isinstance(value, torch.Tensor)}
            for parameter, values in part.state.items()
        }
        for part in optimizers.parts
    ]
