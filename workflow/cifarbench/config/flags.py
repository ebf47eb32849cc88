"""The knobs of `TrainConfig` as flags of the command line, and back."""

import argparse
from typing import Any, get_args

from pydantic.fields import FieldInfo

from cifarbench.config.ids import format_value
from cifarbench.config.knobs import CONVENTION_KNOBS, MODEL_KNOBS, TrainConfig


def add_knobs(to: argparse.ArgumentParser, without: tuple[str, ...]) -> None:
    """Add a flag for each knob, `without` some. Values stay text here; pydantic turns and checks them all."""
    group = to.add_argument_group("knobs")
    for name, field in TrainConfig.model_fields.items():
        if name not in without:
            help = f"{field.description} ({', '.join(details(name, field))})".replace("%", "%%")
            group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=help)


def details(name: str, field: FieldInfo) -> list[str]:
    """Return a knob's unit, allowed values or bounds, and default, in words."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(limit, bound)}"
        for bound, sign in signs.items()
        for limit in field.metadata
        if hasattr(limit, bound)
    ]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = [str(extra["unit"])] if "unit" in extra else []
    choices = [" | ".join(literal_values(field.annotation))] if literal_values(field.annotation) else []
    default = "none" if field.default in (None, ()) else format_value(field.default)
    if name in (*MODEL_KNOBS, *CONVENTION_KNOBS):
        default = "as model or conventions"
    return [*unit, *choices, *bounds, f"default {default}"]


def literal_values(annotation: Any) -> list[str]:
    """Return the values that a Literal allows, alone or beside None or a bool; none for other types."""
    options = [value for part in get_args(annotation) for value in (get_args(part) or [part])]
    values = [value for value in options if isinstance(value, str)]
    return [*values, "true", "false"] if values and bool in options else values


def chosen_knobs(args: argparse.Namespace) -> dict[str, Any]:
    """Return the knobs given as flags, as text; a knob that is a list has its values between commas."""
    given = {name: getattr(args, name, None) for name in TrainConfig.model_fields}
    return {
        name: value.split(",") if isinstance(TrainConfig.model_fields[name].default, tuple) else value
        for name, value in given.items()
        if value is not None
    }


def flags(config: TrainConfig) -> list[str]:
    """Return the flags of `cifarbench train` that make this config again; the data set is not one."""
    pairs = [(name, value) for name, value in config.changed().items() if name != "dataset"]
    return [part for name, value in pairs for part in (f"--{name.replace('_', '-')}", format_flag(value))]


def format_flag(value: Any) -> str:
    """Write a value so that its flag gives the very same one again; floats in full."""
    if isinstance(value, tuple):
        return ",".join(str(v) for v in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
