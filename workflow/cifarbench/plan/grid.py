"""From the entries of a study to its runs: every combination of the axes, checked."""

import itertools
import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cifarbench.config.benchmark import BELONGS, Config, Study, check_augmentation
from cifarbench.config.ids import canonical, configuration_id, format_value, with_seed
from cifarbench.config.knobs import TrainConfig, default_of
from cifarbench.config.sampling import Distribution, distribution, is_distribution
from cifarbench.config.schedule import is_schedule, schedule
from cifarbench.config.text import Label
from cifarbench.data.catalogue import check_trains, dataset_of
from cifarbench.errors import UserError, explain
from cifarbench.files import sha256_of
from cifarbench.models.catalogue import check_model_knobs, model_source, needs_file, own_values, source_of
from cifarbench.words import listed


def config_of(knobs: dict[str, Any], model_file: Path | None) -> TrainConfig:
    """Check knobs given as flags and return them as the plan would, so that the run gets the same id."""
    try:
        config = TrainConfig.model_validate(knobs)
    except ValidationError as error:
        raise UserError(explain(error, "flags", TrainConfig.model_fields)) from None
    try:
        source = source_of(config.model, own=model_file)
        check_model_knobs(config, source)
    except UserError as error:
        raise UserError(f"flags.{error}") from None
    if model_file and not needs_file(config.model):
        raise UserError(
            f"flags.model: {config.model!r} is built in, not from {model_file}; give yours a name of its own"
        )
    return with_checksum(canonical(config, own_values(source)), "flags")


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _About(Frozen):
    """What an entry says beside its knobs."""

    label: Label | None = None
    samples: int | None = Field(None, ge=1, lt=2**31)


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
        about = _about(entry, where)
        own: set[str] = set()
        for knobs in _combinations(study.name, _knobs(config, study, entry), about.samples, where):
            run = make_run(config, knobs, where)
            if run.id in runs and config.max_epochs is None and not (about.samples and run.id in own):
                raise UserError(f"{where}: run {run.id!r} is there twice in this study; remove one")
            own.add(run.id)  # draws of a few values can coincide
            label = about.label and ", ".join([about.label, *_axes_in_words(entry, run.config)])
            runs[run.id] = run, label
    return list(runs.values())


def drawn_knobs(config: Config, study: Study) -> dict[str, str]:
    """Return the knobs of a study that are drawn, each with the name of its distribution."""
    return {
        name: next(iter(value))
        for entry in study.runs
        for name, value in _knobs(config, study, entry).items()
        if is_distribution(name, value)
    }


def _combinations(
    study: str, knobs: dict[str, Any], samples: int | None, where: str
) -> Iterator[dict[str, Any]]:
    """Yield the grid once, or once for each sample."""
    drawn = {
        name: distribution(value, f"{where}.{name}")
        for name, value in knobs.items()
        if is_distribution(name, value)
    }
    _check_drawn(drawn, samples, where)
    for number in range(samples or 1):
        values = {name: one.draw(study, name, number) for name, one in drawn.items()}
        yield from expand_grid({**knobs, **values}, where)


def _check_drawn(drawn: dict[str, Distribution], samples: int | None, where: str) -> None:
    for name, one in drawn.items():
        if one.kind in ("uniform", "log_uniform") and _is_whole(name):
            raise UserError(
                f"{where}.{name}.{one.kind}: {list(one.given)} is not allowed: {name} is a whole number; "
                "draw it by int, or by choice"
            )
        for choice in one.given if one.kind == "choice" else ():
            if _is_axis(name, choice):
                raise UserError(
                    f"{where}.{name}.choice: {choice} is not allowed; give values, not lists of them"
                )
    if drawn and samples is None:
        names = listed(list(drawn))
        raise UserError(f"{where}: {names} is drawn, but not how often; add, for example, samples: 30")
    if samples is not None and not drawn:
        raise UserError(
            f"{where}.samples: {samples} is not allowed: nothing is drawn; give a knob a distribution, for "
            "example learning_rate: {log_uniform: [0.0001, 0.1]}"
        )


def _is_whole(name: str) -> bool:
    annotation = TrainConfig.model_fields[name].annotation
    return int in (annotation, *get_args(annotation))


def count_runs(config: Config) -> int:
    """Return how many combinations the grids have, without building them; shared runs count twice."""
    return sum(_count(config, study, entry) for study in config.studies for entry in study.runs)


def _count(config: Config, study: Study, entry: dict[str, Any]) -> int:
    samples = entry.get("samples")
    axes = _axes(_knobs(config, study, entry))
    return math.prod(len(values) for values in axes.values()) * (samples if isinstance(samples, int) else 1)


def _knobs(config: Config, study: Study, entry: dict[str, Any]) -> dict[str, Any]:
    """Return the knobs of an entry and of the defaults around it; the nearest win."""
    own = {name: value for name, value in entry.items() if name not in _About.model_fields}
    knobs = {**config.defaults, **study.defaults, **own}
    if not is_schedule(knobs.get("seed")):
        return knobs
    return {**knobs, "seed": list(range(schedule(knobs["seed"], f"study '{study.name}'").most))}


def looks_of(config: Config, study: Study) -> tuple[int, ...]:
    """Return the seeds at each look of a study; nothing where its seeds are given. Raise UserError if entries
    differ in that, since they are compared with each other."""
    given = [
        entry.get("seed", study.defaults.get("seed", config.defaults.get("seed"))) for entry in study.runs
    ]
    found = {schedule(seed, f"study '{study.name}'").looks if is_schedule(seed) else () for seed in given}
    if len(found) > 1:
        raise UserError(
            f"study '{study.name}': a schedule of seeds holds for a whole study; give all of it the same"
        )
    return found.pop()


def _about(entry: dict[str, Any], where: str) -> _About:
    """Return what an entry says beside its knobs; None, as for a knob, is as if it were not there."""
    try:
        return _About.model_validate({name: entry.get(name) for name in _About.model_fields})
    except ValidationError as error:
        raise UserError(explain(error, where)) from None


def _axes_in_words(entry: dict[str, Any], config: TrainConfig) -> list[str]:
    varies = [name for name, value in entry.items() if _is_axis(name, value) or is_distribution(name, value)]
    axes = [name for name in varies if name != "seed"]
    return [in_words(name, getattr(config, name)) for name in axes]


def expand_grid(knobs: dict[str, Any], where: str) -> list[dict[str, Any]]:
    """Return every combination of the axes. A list is an axis; where the knob is a list, a list of lists."""
    axes = _axes(knobs)
    for name, values in axes.items():
        if not values:
            raise UserError(f"{where}.{name}: [] is not allowed: an axis needs at least one value")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def _axes(knobs: dict[str, Any]) -> dict[str, list[Any]]:
    return {name: value if _is_axis(name, value) else [value] for name, value in knobs.items()}


def _is_axis(name: str, value: Any) -> bool:
    is_list_knob = name in TrainConfig.model_fields and isinstance(default_of(name), tuple)
    return isinstance(value, list) and (not is_list_knob or any(isinstance(v, list) for v in value))


def make_run(config: Config, knobs: dict[str, Any], where: str) -> Run:
    """Check one combination of knobs and give it its id."""
    try:
        train = TrainConfig.model_validate(knobs)
    except ValidationError as error:
        raise UserError(explain(error, where, TrainConfig.model_fields, BELONGS)) from None
    try:
        for name in train.extra_tests:
            dataset_of(config, name, "extra_tests")
        check_trains(dataset_of(config, train.dataset))
        check_augmentation(train, dataset_of(config, train.dataset).image_size)
        source = model_source(config, train.model)
        check_model_knobs(train, source)
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    train = with_checksum(canonical(train, own_values(source)), where)
    train = capped(train, config.max_epochs)
    configuration = configuration_id(train)
    return Run(id=with_seed(configuration, train), configuration=configuration, config=train)


def capped(config: TrainConfig, max_epochs: int | None) -> TrainConfig:
    """Cut the training short, and its warm-up with it; an early stop that is later has no part in it."""
    if max_epochs is None or config.epochs <= max_epochs:
        return config
    share = max_epochs / config.epochs
    early_stop = config.early_stop if config.early_stop < max_epochs else 0
    warmup = config.warmup_epochs * share
    return config.model_copy(update={"epochs": max_epochs, "warmup_epochs": warmup, "early_stop": early_stop})


def with_checksum(config: TrainConfig, where: str) -> TrainConfig:
    """Add the checksum of the weights that a run starts from, which makes them part of its id.

    With a checksum that was given the file may be missing: the run may be there already.
    """
    path, given = config.initial_weights, config.initial_weights_sha256
    if path is None:
        return config
    try:
        found = checksum(Path(path))
    except OSError as error:
        if given:
            return config
        raise UserError(f"{where}.initial_weights: {path!r} cannot be read: {error.strerror}") from None
    if given and found != given:
        raise UserError(
            f"{where}.initial_weights: {path!r} is not the file that was planned: its sha256 is {found}, not "
            f"{given}; bring that one back, or remove initial_weights_sha256"
        )
    return config.model_copy(update={"initial_weights_sha256": found})


@cache
def checksum(path: Path) -> str:
    """Hash a file once, however many runs name it."""
    return sha256_of(path)


def in_words(name: str, value: Any) -> str:
    """Name a knob and its value, a float with as many digits as tell it from others."""
    short = format_value(value)
    exact = not isinstance(value, float) or float(short) == value
    return f"{name.replace('_', ' ')} {short if exact else value}"
