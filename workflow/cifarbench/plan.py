"""From a config to every run that it asks for, each with its id and the studies that need it.

A run id is `<slug>-<hash>-s<seed>`: the model and the changed knobs in words, then 8 hex digits of the
hash of all knobs but the seed that differ from their defaults. So a new knob with a neutral default
changes no id, and all seeds of one configuration share everything before `-s`.
"""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .claims import Candidate, Claim, read_claims
from .config import Config, Dataset, Study
from .errors import UserError, explain
from .files import read_model, write_text
from .knobs import CONVENTION_KNOBS, MODEL_KNOBS, TrainConfig, convention, default_of
from .model_files import check_model_knobs, model_file, model_knobs

SLUG_LENGTH = 60
UNSET_KNOBS = (*MODEL_KNOBS, *CONVENTION_KNOBS)
TOLD_FIRST = ("optimizer", "learning_rate", "batch_size", "epochs", "width")  # knobs that a slug has room for


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Run(_Frozen):
    """One training: a configuration and a seed."""

    id: str
    configuration: str
    config: TrainConfig


class PlannedStudy(_Frozen):
    """A study's runs by id, the knobs that vary between them, and a label for each configuration."""

    name: str
    title: str
    question: str
    varied: list[str]
    labels: dict[str, str]
    runs: list[str]


class Plan(_Frozen):
    """All that is to be trained and why; the report is made from this and the records."""

    schema_version: Literal[1] = 1
    title: str
    note: str
    datasets: list[Dataset]
    studies: list[PlannedStudy]
    runs: list[Run]
    claims: list[Claim] = []


def make_plan(config: Config) -> Plan:
    """Expand the studies into runs, each once however many studies need it."""
    names = [study.name for study in config.studies]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"studies: two have the name {name!r}; give each its own")
    expanded = [(study, expand_study(config, study)) for study in config.studies]
    runs = {run.id: run for _, labelled in expanded for run, _ in labelled}
    used = {run.config.dataset for run in runs.values()}
    studies = [_planned(config, study, labelled) for study, labelled in expanded]
    return Plan(
        title=config.title,
        note=config.note
        if config.max_epochs is None
        else f"{_cut_short(config.max_epochs)} {config.note}".strip(),
        datasets=[config.dataset(name) for name in sorted(used)],
        studies=studies,
        runs=list(runs.values()),
        claims=_claims(config, studies, runs),
    )


def _claims(config: Config, studies: list[PlannedStudy], runs: dict[str, Run]) -> list[Claim]:
    if config.claims is None or config.max_epochs is not None:
        return []
    return read_claims(Path(config.claims), _candidates(config, studies, runs))


def _cut_short(epochs: int) -> str:
    passes = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    return f"Cut short: every run that is longer was trained for {passes} only, and no claim is judged."


def _candidates(config: Config, studies: list[PlannedStudy], runs: dict[str, Run]) -> list[Candidate]:
    """Return what claims can be about."""
    return [
        Candidate(study=study.name, configuration=key, label=label, knobs=knobs_in_force(config, train))
        for study in studies
        for key, train in {runs[run].configuration: runs[run].config for run in study.runs}.items()
        for label in [study.labels[key]]
    ]


def knobs_in_force(config: Config, train: TrainConfig) -> dict[str, Any]:
    """Return all knobs of a run, those left unset with the model's or the conventions' own value."""
    own = model_knobs(model_file(config, train.model))
    unset = {
        name: train.resolved(name) if name in CONVENTION_KNOBS else own.get(name) for name in UNSET_KNOBS
    }
    return {name: unset.get(name) if value is None else value for name, value in train}


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
        config.dataset(train.dataset)
        path = model_file(config, train.model)
        check_model_knobs(train, path)
    except UserError as error:
        raise UserError(f"{where}.{error}") from None
    train = capped(canonical(train, model_knobs(path)), config.max_epochs)
    configuration = configuration_id(train)
    return Run(id=_with_seed(configuration, train), configuration=configuration, config=train)


def capped(config: TrainConfig, max_epochs: int | None) -> TrainConfig:
    """Cut the training short, and its warm-up with it."""
    if max_epochs is None or config.epochs <= max_epochs:
        return config
    share = max_epochs / config.epochs
    return config.model_copy(update={"epochs": max_epochs, "warmup_epochs": config.warmup_epochs * share})


def canonical(config: TrainConfig, own_values: dict[str, Any]) -> TrainConfig:
    """Unset each knob that says what would hold anyway, so that one experiment has one id."""
    filled = {name: convention(config.conventions, config.optimizer, name) for name in CONVENTION_KNOBS}
    implied = {**own_values, **filled}
    said_again = [name for name, value in implied.items() if getattr(config, name) == value]
    return config.model_copy(update=dict.fromkeys(said_again))


def run_id(config: TrainConfig) -> str:
    return _with_seed(configuration_id(config), config)


def _with_seed(configuration: str, config: TrainConfig) -> str:
    return f"{configuration}-s{config.seed}"


def configuration_id(config: TrainConfig) -> str:
    """Return the readable slug and the hash of the knobs, without the seed."""
    changed = {name: value for name, value in config.changed().items() if name != "seed"}
    digest = hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:8]
    slug = config.model
    for name in sorted(changed.keys() - {"model"}, key=lambda name: (name not in TOLD_FIRST, name)):
        longer = f"{slug}_{name}={format_value(changed[name])}"
        slug = longer if len(longer) <= SLUG_LENGTH else slug
    return f"{slug}-{digest}"


def format_value(value: Any) -> str:
    """Write a knob's value as ids, labels and help show it; `+` joins lists so that paths stay plain."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return "+".join(format_value(v) for v in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _planned(config: Config, study: Study, labelled: list[tuple[Run, str | None]]) -> PlannedStudy:
    configs = {run.configuration: run.config for run, _ in labelled}
    varied = [
        name
        for name in TrainConfig.model_fields
        if name != "seed" and len({getattr(train, name) for train in configs.values()}) > 1
    ]
    given = {run.configuration: label for run, label in labelled}
    return PlannedStudy(
        name=study.name,
        title=study.title,
        question=study.question,
        varied=varied,
        labels={
            key: given[key] or _what_varies(knobs_in_force(config, train), varied)
            for key, train in configs.items()
        },
        runs=[run.id for run, _ in labelled],
    )


def _what_varies(knobs: dict[str, Any], varied: list[str]) -> str:
    """Name a configuration by what varies in its study; knobs that it does not have are not told."""
    told = [name for name in varied if name != "model" and knobs[name] not in (None, ())]
    model = [knobs["model"]] if "model" in varied or not told else []
    return ", ".join(model + [_told(name, knobs[name]) for name in told])


def _told(name: str, value: Any) -> str:
    return f"{name.replace('_', ' ')} {format_value(value)}"


def flags(config: TrainConfig) -> list[str]:
    """Return the flags of `cifarbench train` that make this config again; the data set is not one."""
    pairs = [(name, value) for name, value in config.changed().items() if name != "dataset"]
    return [part for name, value in pairs for part in (f"--{name.replace('_', '-')}", format_flag(value))]


def format_flag(value: Any) -> str:
    """Write a value so that its flag gives the very same one again; floats in full."""
    if isinstance(value, tuple):
        return ",".join(str(v) for v in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def summary(plan: Plan) -> str:
    """Say in a few lines what a plan will train."""
    lines = [f"{plan.title}: {len(plan.studies)} studies, {len(plan.runs)} distinct runs"]
    for study in plan.studies:
        varied = ", ".join(study.varied) or "nothing but the seed"
        lines.append(
            f"  {study.name}: {len(study.labels)} configurations, {len(study.runs)} runs; varies {varied}"
        )
    return "\n".join(lines)


def write_plan(plan: Plan, path: Path) -> None:
    write_text(path, plan.model_dump_json(indent=1) + "\n")


def read_plan(path: Path) -> Plan:
    return read_model(Plan, path, "cifarbench plan")
