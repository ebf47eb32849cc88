"""Measure weights that others trained: a state dict, as safetensors or as torch.save writes it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.config.reading import read as read_yaml
from cifarbench.data.loading import load
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.models.build import build_model
from cifarbench.models.measure import count_flops, count_parameters
from cifarbench.models.weights import near, read_weights, unwrapped
from cifarbench.records.evaluated import Evaluated, write_evaluated
from cifarbench.records.folder import PREDICTIONS
from cifarbench.records.record import ModelFacts
from cifarbench.training.environment import describe_environment
from cifarbench.training.evaluate import evaluate, forward_all
from cifarbench.training.losses import make_loss
from cifarbench.training.saving import data_facts, save_predictions

full_precision = partial(torch.autocast, "cpu", enabled=False)
TOLD = 3  # names that do not fit


def evaluate_weights(
    weights: Path,
    config: TrainConfig,
    data_folder: Path,
    output: Path,
    mapping: Path | None = None,
    model_file: Path | None = None,
) -> Evaluated:
    """Test the weights and write predictions and, last, `evaluated.json` into `output`."""
    cpu = torch.device("cpu")
    data = load(data_folder, config, cpu)
    model = build_model(config, len(data.manifest.classes), model_file, data.side)
    fit(model, renamed(read_weights(weights), read_mapping(mapping)), weights)
    total, trainable = count_parameters(model)
    outputs = forward_all(model, data.test, data, make_loss(config, model), full_precision)
    evaluated = Evaluated(
        name=weights.stem,
        weights_sha256=sha256_of(weights),
        config=config,
        data=data_facts(data),
        model=ModelFacts(
            parameters=total, trainable_parameters=trainable, flops=count_flops(model, data.side)
        ),
        test=evaluate(outputs, len(data.manifest.classes)),
        environment=describe_environment(cpu, config.model),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    save_predictions(outputs, output / PREDICTIONS)
    write_evaluated(evaluated, output)
    return evaluated


def read_mapping(path: Path | None) -> dict[str, str | None]:
    """Read a YAML file of `their name: our name`; one that ends with a dot stands for all that begin so."""
    if path is None:
        return {}
    content = read_yaml(path)
    if not isinstance(content, Mapping) or not all(
        isinstance(theirs, str) and isinstance(ours, str | None) for theirs, ours in content.items()
    ):
        raise UserError(
            f"{path}: must map their names to ours, or to null to leave one out: `fc.: classifier.`"
        )
    return dict(content)


def renamed(weights: dict[str, Tensor], mapping: Mapping[str, str | None]) -> dict[str, Tensor]:
    pairs = ((ours(name, mapping), tensor) for name, tensor in unwrapped(weights).items())
    return {name: tensor for name, tensor in pairs if name is not None}


def ours(name: str, mapping: Mapping[str, str | None]) -> str | None:
    """Return our name of a weight, None for one to leave out; the longest entry of the mapping that fits."""
    fitting = [n for n in mapping if n == name or ((not n or n.endswith(".")) and name.startswith(n))]
    if not fitting:
        return name
    best = max(fitting, key=len)
    new = mapping[best]
    return None if new is None else new + name[len(best) :]


def fit(model: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load the weights. Raise UserError naming what does not fit, with the nearest names."""
    wanted = model.state_dict()
    counters = {name for name in wanted if name.endswith("num_batches_tracked")}  # which no test reads
    unknown, missing = sorted(weights.keys() - wanted), sorted(wanted.keys() - weights - counters)
    faults = [f"{name!r} is not in the model{near(name, missing)}" for name in unknown]
    faults += [f"{name!r} is missing" for name in missing]
    faults += [
        f"{name!r} has shape {tuple(weights[name].shape)}, the model {tuple(wanted[name].shape)}"
        for name in sorted(weights.keys() & wanted)
        if weights[name].shape != wanted[name].shape
    ]
    if faults:
        more = f"; and {len(faults) - TOLD} more" if len(faults) > TOLD else ""
        raise UserError(
            f"{path}: {'; '.join(faults[:TOLD])}{more}; rename with --mapping, or check the knobs"
        )
    model.load_state_dict(dict(weights), strict=False)  # but for counters, all is there
