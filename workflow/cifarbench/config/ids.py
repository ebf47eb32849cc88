"""The id of a run.

A run id is `<slug>-<hash>-s<seed>`: the model and the changed knobs in words, then 8 hex digits of the
hash of all knobs but the seed that differ from their defaults. So a new knob with a neutral default
changes no id, and all seeds of one configuration share everything before `-s`.
"""

import hashlib
import json
import re
from typing import Any

from cifarbench.config.knobs import CONVENTION_KNOBS, TrainConfig, convention

SLUG_LENGTH = 60

PLAIN = re.compile(r"[\w.+-]*")  # what may stand in a path
PLACES = ("initial_weights",)  # knobs that say where something lies; what it holds has a checksum
TOLD_FIRST = ("optimizer", "learning_rate", "batch_size", "epochs", "width")  # knobs that a slug has room for


def canonical(config: TrainConfig, own_values: dict[str, Any]) -> TrainConfig:
    """Unset each knob that says what would hold anyway, so that one experiment has one id."""
    filled = {name: convention(config.conventions, config.optimizer, name) for name in CONVENTION_KNOBS}
    implied = {**own_values, **{name: value for name, value in filled.items() if value is not None}}
    said_again = [name for name, value in implied.items() if getattr(config, name) == value]
    return config.model_copy(update=dict.fromkeys(said_again))


def run_id(config: TrainConfig) -> str:
    return with_seed(configuration_id(config), config)


def with_seed(configuration: str, config: TrainConfig) -> str:
    return f"{configuration}-s{config.seed}"


def configuration_id(config: TrainConfig) -> str:
    """Return the readable slug and the hash of the knobs, without the seed."""
    changed = {name: value for name, value in config.changed().items() if name not in ("seed", *PLACES)}
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    slug = model_slug(config.model)
    for name in sorted(changed.keys() - {"model"}, key=lambda name: (name not in TOLD_FIRST, name)):
        value = format_value(changed[name])
        longer = f"{slug}_{name}={value}"
        slug = longer if len(longer) <= SLUG_LENGTH and PLAIN.fullmatch(value) else slug
    return f"{slug}-{digest}"


def model_slug(model: str) -> str:
    """Return what stands for a model in a run id, which becomes a path."""
    return model.replace("/", "-")


def format_value(value: Any) -> str:
    """Write a knob's value as ids, labels and help show it; `+` joins lists so that paths stay plain."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "+".join(format_value(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
