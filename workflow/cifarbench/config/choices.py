"""What a knob can choose between: optimizers, schedules and losses, and what each of them reads.

The function or class of the same name is in `training/`. An optimizer, a schedule or a loss is added by an
entry here and one there; flags, help, schema, checks and tests follow. Nothing here imports torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Choice:
    """`reads` are the knobs that not every choice reads; `pytorch` and `keras` what these libraries set
    those to that are left unset."""

    reads: tuple[str, ...] = ()
    pytorch: Mapping[str, float] = field(default_factory=dict)
    keras: Mapping[str, float] = field(default_factory=dict)


# Sources of the values: the documentation of the two libraries.
OPTIMIZERS = {
    "sgd": Choice(reads=("momentum", "nesterov")),
    "rmsprop": Choice(
        reads=("momentum", "optimizer_eps", "rho"),
        pytorch={"optimizer_eps": 1e-8, "rho": 0.99},
        keras={"optimizer_eps": 1e-7, "rho": 0.9},
    ),
    "adagrad": Choice(
        reads=("optimizer_eps", "initial_accumulator"),
        pytorch={"optimizer_eps": 1e-10, "initial_accumulator": 0.0},
        keras={"optimizer_eps": 1e-7, "initial_accumulator": 0.1},
    ),
    "adadelta": Choice(
        reads=("optimizer_eps", "rho"),
        pytorch={"optimizer_eps": 1e-6, "rho": 0.9},
        keras={"optimizer_eps": 1e-7, "rho": 0.95},
    ),
    "adam": Choice(
        reads=("optimizer_eps", "eps_beside"),
        pytorch={"optimizer_eps": 1e-8},
        keras={"optimizer_eps": 1e-7},
    ),
    "adamw": Choice(
        reads=("optimizer_eps", "eps_beside"),
        pytorch={"optimizer_eps": 1e-8},
        keras={"optimizer_eps": 1e-7},
    ),
    "muon": Choice(reads=("momentum", "nesterov", "muon_rest", "muon_norm")),
}
SCHEDULES = {
    "none": Choice(reads=("warmup_epochs",)),
    "multistep": Choice(reads=("milestones", "gamma", "warmup_epochs")),
    "cosine": Choice(reads=("warmup_epochs",)),
    "linear": Choice(reads=("warmup_epochs",)),
    "warmup_stable_decay": Choice(reads=("warmup_epochs", "decay_share")),
    "one_cycle": Choice(),
}
LOSSES = {
    "cross_entropy": Choice(reads=("label_smoothing",)),
    "mean_squared_error": Choice(),
    "binary_cross_entropy": Choice(),
    "mean_squared_error_index": Choice(),
    "binary_cross_entropy_index": Choice(),
}
# By the knob that chooses.
CHOICES: dict[str, dict[str, Choice]] = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "loss": LOSSES}


def readers() -> list[tuple[str, str, list[str]]]:
    """Return (knob, the knob that chooses, its values that read the knob) for each that not all read."""
    return [
        (knob, chooser, [name for name, choice in choices.items() if knob in choice.reads])
        for chooser, choices in CHOICES.items()
        for knob in dict.fromkeys(knob for choice in choices.values() for knob in choice.reads)
    ]
