"""From a config to every run that it asks for, each with its id and the studies that need it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from cifarbench.config.benchmark import Config, Dataset, Study
from cifarbench.config.knobs import CONVENTION_KNOBS, TrainConfig
from cifarbench.data.catalogue import dataset_of
from cifarbench.errors import UserError
from cifarbench.models.catalogue import model_source, own_values
from cifarbench.plan.checks import check
from cifarbench.plan.claims import Claim, read_claims, read_file, read_margins
from cifarbench.plan.grid import Frozen, Run, drawn_knobs, expand_study, in_words, looks_of
from cifarbench.plan.published_tables import Copy, PublishedTable, read_copies, read_tables
from cifarbench.plan.quantities import Candidate, Scope
from cifarbench.words import count, listed


class PlannedStudy(Frozen):
    """A study's runs by id, the knobs that vary between them, and a label for each configuration."""

    name: str
    title: str
    question: str
    compare: Literal["best", "previous"] = "best"
    varied: list[str]
    drawn: dict[str, str] = Field({}, exclude_if=lambda drawn: not drawn)
    """Knobs that are drawn at random, each with the name of its distribution."""
    schedule: tuple[int, ...] = Field((), exclude_if=lambda looks: not looks)
    """The seeds at each look, where only what is undecided gets more."""
    target_accuracy: list[float] = Field([], exclude_if=lambda targets: not targets)
    labels: dict[str, str]
    runs: list[str]

    @property
    def is_crossed(self) -> bool:
        """Whether it asks where noise comes from, so that its configurations are single draws of one."""
        return {"weights_seed", "order_seed"} <= set(self.varied)


class Look(Frozen):
    """What a look at the runs so far finds open: by study the configurations that get more seeds."""

    open: dict[str, list[str]]

    @property
    def closed(self) -> bool:
        return not any(self.open.values())


class Plan(Frozen):
    """All that is to be trained and why; the report is made from this and the records."""

    title: str
    note: str
    datasets: list[Dataset]
    studies: list[PlannedStudy]
    runs: list[Run]
    claims: list[Claim] = Field([])
    tables: list[PublishedTable] = Field([])
    copies: list[Copy] = Field([])
    looks: list[Look] = Field([], exclude_if=lambda looks: not looks)


def make_plan(config: Config) -> Plan:
    """Expand the studies into runs, each once however many studies need it."""
    check(config)
    expanded = [(study, expand_study(config, study)) for study in config.studies]
    by_id = {run.id: run for _, labelled in expanded for run, _ in labelled}
    used = {name for run in by_id.values() for name in (run.config.dataset, *run.config.extra_tests)}
    studies = [_planned(config, study, labelled) for study, labelled in expanded]
    runs = {id: by_id[id] for study in studies for id in study.runs}
    return Plan(
        title=config.title,
        note=config.note
        if config.max_epochs is None
        else f"{_cut_short(config.max_epochs)} {config.note}".strip(),
        datasets=[dataset_of(config, name) for name in sorted(used)],
        studies=studies,
        runs=list(runs.values()),
        **_literature(config, studies, runs),
    )


def _literature(config: Config, studies: list[PlannedStudy], runs: dict[str, Run]) -> dict[str, Any]:
    """Return what the file of claims says, with the configurations that it means."""
    if config.claims is None or config.max_epochs is not None:
        return {}
    path = Path(config.claims)
    data = read_file(path)
    scope = Scope(_candidates(config, studies, runs), read_margins(data, path))
    return {
        "claims": read_claims(data, path, scope),
        "tables": read_tables(data, path, scope),
        "copies": read_copies(data, path),
    }


def _cut_short(epochs: int) -> str:
    passes = count(epochs, "epoch")
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
    own = own_values(model_source(config, train.model))
    filled = {name: train.resolved(name) for name in CONVENTION_KNOBS}
    unset = own | {name: value for name, value in filled.items() if value is not None}
    return {name: unset.get(name) if value is None else value for name, value in train}


def _planned(config: Config, study: Study, labelled: list[tuple[Run, str | None]]) -> PlannedStudy:
    configs = {run.configuration: run.config for run, _ in labelled}
    place = {key: n for n, key in enumerate(configs)}
    varied = [
        name
        for name in TrainConfig.model_fields
        if name not in ("seed", "initial_weights_sha256")
        and len({getattr(train, name) for train in configs.values()}) > 1
    ]
    return PlannedStudy(
        name=study.name,
        title=study.title,
        question=study.question,
        compare=study.compare,
        target_accuracy=sorted(set(study.target_accuracy)),
        varied=varied,
        drawn=drawn_knobs(config, study),
        schedule=looks_of(config, study),
        labels=_labels(config, study, labelled, varied),
        runs=[run.id for run, _ in sorted(labelled, key=lambda one: place[one[0].configuration])],
    )


def _labels(
    config: Config, study: Study, labelled: list[tuple[Run, str | None]], varied: list[str]
) -> dict[str, str]:
    """Return the label of each configuration. Raise UserError unless each has one, and one of its own."""
    labels: dict[str, str] = {}
    for run, label in labelled:
        if label is not None and labels.setdefault(run.configuration, label) != label:
            raise UserError(
                f"study '{study.name}': {labels[run.configuration]!r} and {label!r} are labels of one "
                f"configuration, {run.configuration}; give all its seeds the same one"
            )
    changed: dict[str, set[str]] = {}  # by model; what none of its configurations changes, its name says
    for run, _ in labelled:
        changed.setdefault(run.config.model, set()).update(run.config.changed())
    named: dict[str, str] = {}
    for run, _ in labelled:
        telling = [name for name in varied if name == "model" or name in changed[run.config.model]]
        label = labels.get(run.configuration) or _what_varies(knobs_in_force(config, run.config), telling)
        other = named.setdefault(" ".join(label.split()), run.configuration)
        if other != run.configuration:
            raise UserError(
                f"study '{study.name}': {label!r} is the label of two configurations, {other} and "
                f"{run.configuration}; give each its own, or they cannot be told apart"
            )
        labels[run.configuration] = label
    return {run.configuration: labels[run.configuration] for run, _ in labelled}


def _what_varies(knobs: dict[str, Any], varied: list[str]) -> str:
    """Name a configuration by what varies in its study; knobs that it does not have are not told."""
    told = [name for name in varied if name != "model" and knobs[name] not in (None, ())]
    model = [knobs["model"]] if "model" in varied or not told else []
    return ", ".join(model + [in_words(name, knobs[name]) for name in told])


def summary(plan: Plan) -> str:
    """Say in a few lines what a plan will train."""
    studies, runs = count(len(plan.studies), "study", "studies"), count(len(plan.runs), "distinct run")
    lines = [f"{plan.title}: {studies}, {runs}"]
    for study in plan.studies:
        most = " at most" if study.schedule else ""
        asks = f"{count(len(study.labels), 'configuration')}, {count(len(study.runs), 'run')}{most}"
        lines.append(f"  {study.name}: {asks}; varies {listed(study.varied) or 'nothing but the seed'}")
    return "\n".join(lines)
