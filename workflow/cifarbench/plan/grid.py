"""From the entries of a study to its runs: every combination of the axes, checked."""

import itertools
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cifarbench.config.benchmark import Config, Study
from cifarbench.config.ids import _with_seed, canonical, configuration_id, format_value
from cifarbench.config.knobs import TrainConfig, default_of
from cifarbench.data.catalogue import dataset_of
from cifarbench.errors import UserError, explain, suggest
from cifarbench.models.catalogue import BUILTIN_MODELS, check_model_knobs, model_file, own_values


def config_of(knobs: dict[str, Any], model_file: Path | None) -> TrainConfig:
    """Check knobs given as flags and return them as the plan would, so that the run gets the same id."""
    try:
        config = TrainConfig.model_validate(knobs)
    except ValidationError as error:
        raise UserError(explain(error, "flags", TrainConfig.model_fields)) from None
    if model_file is None and config.model not in BUILTIN_MODELS:
        raise UserError(f"flags.model: {config.model!r} is not known" + suggest(config.model, BUILTIN_MODELS))
    path = model_file or BUILTIN_MODELS[config.model]
    check_model_knobs(config, path)
    return canonical(config, own_values(path))


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(Frozen):
    """One training: a configuration and a seed."""

    id: str
    configuration: str
    config: TrainConfig


def expand_study(config: Config, study: Study) -> list[tuple[Run, str | None]]:
    """Return the study's runs, each with the label that its entry gives it.

    Raise UserError naming the study and the entry that is wrong.
    """
    runs: dict[str, tuple[Run, str | None]] = {}
    for index, entry in enumerate(study.runs):
        where = f"study '{study.name}', runs[{index}]"
        own = {name: value for name, value in entry.items() if name != "label"}
        for knobs in expand_grid({**config.defaults, **study.defaults, **own}, where):
            run = make_run(config, knobs, where)
            if run.id in runs and config.max_epochs is None:
                raise UserError(f"{where}: run {run.id!r} is there twice in this study; remove one")
            runs[run.id] = run, _label(entry, run.config)
    return list(runs.values())


def _label(entry: dict[str, Any], config: TrainConfig) -> str | None:
    """Return an entry's label, with the values of the entry's own axes where it has some."""
    if "label" not in entry:
        return None
    axes = [name for name, value in entry.items() if _is_axis(name, value) and name != "seed"]
    return ", ".join([str(entry["label"]), *(_told(name, getattr(config, name)) for name in axes)])


def expand_grid(knobs: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Return every combination of the axes. A list is an axis; where the knob is a list, a list of lists."""
    axes = {name: value if _is_axis(name, value) else [value] for name, value in knobs.items()}
    for name, values in axes.items():
        if not values:
            raise UserError(f"{where}.{name}: [] is not allowed: an axis needs at least one value")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _is_axis(name: str, value: Any) -> bool:
    is_list_knob = name in TrainConfig.model_fields and isinstance(default_of(name), tuple)
    return isinstance(value, list) and (not is_list_knob or any(isinstance(v, list) for v in value))


def make_run(config: Config, knobs: dict[str, Any], where: str) -> Run:
    """Check one combination of knobs and give it its id."""
    try:
        train = TrainConfig.model_validate(knobs)
    except ValidationError as error:
        raise UserError(explain(error, where, TrainConfig.model_fields)) from None
    try:
        dataset_of(config, train.dataset)
        path = model_file(config, train.model)
        check_model_knobs(train, path)
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    train = capped(canonical(train, own_values(path)), config.max_epochs)
    configuration = configuration_id(train)
    return Run(id=_with_seed(configuration, train), configuration=configuration, config=train)


def capped(config: TrainConfig, max_epochs: int | None) -> TrainConfig:
    """Cut the training short, and its warm-up with it."""
    if max_epochs is None or config.epochs <= max_epochs:
        return config
    share = max_epochs / config.epochs
    return config.model_copy(update={"epochs": max_epochs, "warmup_epochs": config.warmup_epochs * share})


def _told(name: str, value: Any) -> str:
    return f"{name.replace('_', ' ')} {format_value(value)}"
