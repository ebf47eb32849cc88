"""A plan as a file: each configuration once, by the knobs that differ from their defaults, and its seeds.

The long form that came before held every run with all its knobs.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from cifarbench.config.benchmark import Dataset, Target
from cifarbench.config.ids import with_seed
from cifarbench.config.knobs import TrainConfig
from cifarbench.config.text import Prose, Slug
from cifarbench.files import read_model, write_text
from cifarbench.plan.claims import Claim
from cifarbench.plan.grid import Frozen, Run
from cifarbench.plan.looks import standing
from cifarbench.plan.plan import Look, Plan, PlannedStudy
from cifarbench.plan.published_tables import Copy, PublishedTable
from cifarbench.records.older import upgraded_plan

LINE_LENGTH = 200
Content = dict[str, Any]


class Uses(Frozen):
    """What a study calls a configuration, and the seeds that it wants of it."""

    label: Prose
    seeds: list[Annotated[int, Field(ge=0, lt=2**31)]] = Field(min_length=1)


class StoredStudy(Frozen):
    name: Slug
    title: Prose
    question: Prose
    compare: Literal["best", "previous"] = "best"
    varied: list[str]
    drawn: dict[str, str] = Field({})
    schedule: tuple[int, ...] = ()
    target_accuracy: list[Target] = Field([])
    configurations: dict[str, Uses]

    def runs(self) -> list[tuple[str, int]]:
        return [(key, seed) for key, uses in self.configurations.items() for seed in uses.seeds]


class StoredPlan(Frozen):
    schema_version: Literal[2] = 2
    title: Prose
    note: Prose
    datasets: list[Dataset]
    configurations: dict[str, TrainConfig]
    studies: list[StoredStudy]
    claims: list[Claim] = Field([])
    tables: list[PublishedTable] = Field([])
    copies: list[Copy] = Field([])
    looks: list[Look] = Field([])

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        datasets = {dataset.name for dataset in self.datasets}
        for key, config in self.configurations.items():
            if config.dataset not in datasets:
                raise ValueError(
                    f"configuration {key!r} needs data set {config.dataset!r}, which is not there"
                )
        for study in self.studies:
            for key in study.configurations.keys() - self.configurations.keys():
                raise ValueError(f"study {study.name!r} needs configuration {key!r}, which is not there")
        return self


def write_plan(plan: Plan, path: Path) -> None:
    write_text(path, _in_lines(stored(plan)) + "\n")


def _in_lines(value: Any, indent: str = "") -> str:
    """Write JSON with a line for whatever fits on one, so that a changed configuration is a changed line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent + line) <= LINE_LENGTH or not isinstance(value, dict | list):
        return line
    inner = f"{indent} "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {_in_lines(part, inner)}" for key, part in value.items()]
    else:
        parts = [_in_lines(part, inner) for part in value]
    around = "{}" if isinstance(value, dict) else "[]"
    return f"{around[0]}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{around[1]}"


def read_plan(path: Path) -> Plan:
    """Read a plan as it stands after the looks that it holds, or else that lie beside it.

    Raise UserError naming the file and the first fault.
    """
    return standing(read_whole_plan(path), path.parent)


def read_whole_plan(path: Path) -> Plan:
    """Read a plan with all runs that may come to be wanted."""
    return restored(read_model(StoredPlan, path, "cifarbench plan", upgraded))


def stored(plan: Plan) -> dict[str, Any]:
    """Return what a file of a plan holds."""
    content = plan.model_dump(mode="json")
    runs = content.pop("runs")
    configurations: dict[str, Content] = {}
    for run, kept in zip(plan.runs, runs, strict=True):
        changed = run.config.changed().keys() - {"seed"}
        knobs = {name: value for name, value in kept["config"].items() if name in changed}
        configurations.setdefault(run.configuration, knobs)
    studies = _with_seeds(content["studies"], runs)
    return {"schema_version": 2, **content, "configurations": configurations, "studies": studies}


def _with_seeds(studies: list[Content], runs: list[Content]) -> list[Content]:
    """Put the seeds that a study wants of each configuration in place of its runs."""
    by_id = {run["id"]: run for run in runs}
    found = []
    for study in studies:
        uses = {key: {"label": label, "seeds": []} for key, label in study["labels"].items()}
        for run in study["runs"]:
            uses[by_id[run]["configuration"]]["seeds"].append(by_id[run]["config"]["seed"])
        about = {key: value for key, value in study.items() if key not in ("labels", "runs")}
        found.append({**about, "configurations": uses})
    return found


def restored(plan: StoredPlan) -> Plan:
    runs: dict[str, Run] = {}
    studies = []
    for study in plan.studies:
        own = [_run(key, plan.configurations[key], seed) for key, seed in study.runs()]
        runs |= {run.id: run for run in own}
        studies.append(
            PlannedStudy(
                **study.model_dump(exclude={"configurations"}),
                labels={key: uses.label for key, uses in study.configurations.items()},
                runs=[run.id for run in own],
            )
        )
    return Plan(
        title=plan.title,
        note=plan.note,
        datasets=plan.datasets,
        studies=studies,
        runs=list(runs.values()),
        claims=plan.claims,
        tables=plan.tables,
        copies=plan.copies,
        looks=plan.looks,
    )


def _run(key: str, config: TrainConfig, seed: int) -> Run:
    config = config.model_copy(update={"seed": seed})
    return Run(id=with_seed(key, config), configuration=key, config=config)


def upgraded(content: Content) -> Content:
    """Bring a plan of an earlier version, or of the long form, to today's."""
    content = upgraded_plan(content)
    if "runs" not in content:
        return content
    runs = content["runs"]
    others = {key: value for key, value in content.items() if key != "runs"}
    configurations = {run["configuration"]: run["config"] for run in runs}
    return {**others, "configurations": configurations, "studies": _with_seeds(content["studies"], runs)}
