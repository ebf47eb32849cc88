"""Which parameters of a model a config treats alike."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError

# Most norms of other libraries are made from these.
NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)
Group = dict[str, Any]


def parameter_groups(config: TrainConfig, model: nn.Module) -> list[Group]:
    """Return the parameters that train, in groups with one weight decay and one `scale` of the rate.

    Raise UserError for a factor of the rate of a part that the model lacks.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    scales = dict.fromkeys(trained, 1.0)
    for knob, members in parts(model).items():
        factor = getattr(config, knob)
        if factor != 1 and not scales.keys() & {*members}:
            part = knob.removesuffix("_rate").replace("_", " ")
            raise UserError(f"{knob}: {factor} has no effect: this model trains no {part}; remove it")
        for parameter in scales.keys() & {*members}:
            scales[parameter] *= factor
    alike: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in trained:
        decays = config.decay_on == "all" or parameter.ndim > 1
        alike.setdefault((scales[parameter], decays), []).append(parameter)
    return [
        {"params": members, "scale": scale, **({} if decays else {"weight_decay": 0.0})}
        for (scale, decays), members in alike.items()
    ]


def parts(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the parameters of each part that has a rate of its own, by the knob of its factor.

    A parameter may be of two, such as the first layer's bias; then both factors hold.
    """
    owned = [(owner, *named) for owner in model.modules() for named in owner.named_parameters(recurse=False)]
    layers = with_matrices(model)
    return {
        "bias_rate": [
            p for owner, name, p in owned if name.endswith("bias") and not isinstance(owner, NORMS)
        ],
        "norm_rate": [p for owner, _, p in owned if isinstance(owner, NORMS)],
        "first_layer_rate": list(layers[0].parameters(recurse=False)) if layers else [],
        "last_layer_rate": list(last_of(layers).parameters(recurse=False)) if layers else [],
    }


def with_matrices(model: nn.Module) -> list[nn.Module]:
    """Return the layers that have a weight of two dimensions or more, of their own, in order."""
    return [m for m in model.modules() if any(p.ndim > 1 for p in m.parameters(recurse=False))]


def last_of(layers: list[nn.Module]) -> nn.Module:
    """Return the layer that gives the classes: the last linear one, or the last of all without any."""
    return next((layer for layer in reversed(layers) if isinstance(layer, nn.Linear)), layers[-1])


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Return the matrices that train before the last layer; filters are matrices, each a row."""
    layers = with_matrices(model)
    hidden = [layer for layer in layers if layer is not last_of(layers)]
    return [p for m in hidden for p in m.parameters(recurse=False) if p.ndim > 1 and p.requires_grad]


def split(groups: Iterable[Group], members: Iterable[nn.Parameter]) -> tuple[list[Group], list[Group]]:
    """Return the groups without these members, and with them alone; none is empty."""
    chosen = {*members}
    parts = (
        [{**g, "params": [p for p in g["params"] if (p in chosen) is wanted]} for g in groups]
        for wanted in (False, True)
    )
    without, of_them = ([group for group in part if group["params"]] for part in parts)
    return without, of_them
