"""Which parameters of a model a config treats alike."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.models.build import last_layer, matrices, with_weights

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
    layers = with_weights(model)
    return {
        "bias_rate": [
            p for owner, name, p in owned if name.endswith("bias") and not isinstance(owner, NORMS)
        ],
        "norm_rate": [p for owner, _, p in owned if isinstance(owner, NORMS)],
        "first_layer_rate": own_of(layers[0] if layers else None),
        "last_layer_rate": own_of(last_layer(model)),
    }


def own_of(layer: nn.Module | None) -> list[nn.Parameter]:
    return list(layer.parameters(recurse=False)) if layer is not None else []


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """Return the matrices that train before the last layer; filters are matrices, each a row."""
    last = last_layer(model)
    hidden = [layer for layer in with_weights(model) if layer is not last]
    return [weight for layer in hidden for weight in matrices(layer) if weight.requires_grad]


def split(groups: Iterable[Group], members: Iterable[nn.Parameter]) -> tuple[list[Group], list[Group]]:
    """Return the groups without these members, and with them alone; none is empty."""
    chosen = {*members}
    parts = (
        [{**g, "params": [p for p in g["params"] if (p in chosen) is wanted]} for g in groups]
        for wanted in (False, True)
    )
    without, of_them = ([group for group in part if group["params"]] for part in parts)
    return without, of_them
