"""What configurations are called: by their model and the knobs that differ, in the table and in a study."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cifarbench.config.ids import format_value
from cifarbench.config.knobs import TrainConfig
from cifarbench.plan.plan import Plan

# What is said apart from the knobs, or says again what another knob does.
APART = ("dataset", "model", "seed", "initial_weights_sha256")


def table_names(plan: Plan, keys: Iterable[str]) -> dict[str, str]:
    """Name configurations by their model and what tells them from the others of that model: a knob is told
    where it does not have the value of most of them."""
    keys = set(keys)
    configs = {run.configuration: run.config for run in plan.runs if run.configuration in keys}
    by_model: dict[str, dict[str, TrainConfig]] = {}
    for key, config in configs.items():
        by_model.setdefault(config.model, {})[key] = config
    several = len({config.dataset for config in configs.values()}) > 1
    names = {}
    for model, group in by_model.items():
        usual = _usual(list(group.values()))
        for key, config in group.items():
            told = [(name, getattr(config, name)) for name in usual if getattr(config, name) != usual[name]]
            said = [knob(name, value) for name, value in told if value != () or len(told) == 1]
            names[key] = ", ".join([model, *said]) + (f" on {config.dataset}" if several else "")
    return names


NOTHING = object()


def _usual(configs: list[TrainConfig]) -> dict[str, Any]:
    """Return the knobs that differ, each with the value of more than half of the configurations, if any."""
    usual = {}
    for name in TrainConfig.model_fields:
        counts = Counter(getattr(config, name) for config in configs)
        if name not in APART and len(counts) > 1:
            value, number = counts.most_common(1)[0]
            usual[name] = value if 2 * number > len(configs) else NOTHING
    return usual


def knob(name: str, value: Any) -> str:
    """Say a knob and its value."""
    words = name.replace("_", " ")
    if value is True:
        return words
    if value in (False, ()) and not name.endswith("_seed"):
        return f"no {words}"
    return f"own {words}" if value is None else f"{words} {format_value(value)}"


def study_names(labels: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return labels without the parts that all of them share, and those parts."""
    parts = {key: label.split(", ") for key, label in labels.items()}
    shared = [
        part
        for part in next(iter(parts.values()), [])
        if len(parts) > 1 and all(part in others for others in parts.values())
    ]
    short = {key: ", ".join(part for part in own if part not in shared) for key, own in parts.items()}
    return {key: short[key] or labels[key] for key in labels}, shared
