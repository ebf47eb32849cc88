"""A plan as it stands after some looks: which seeds are wanted of what is still open.

The plan of a config holds every run that its schedules may come to want. A look says which configurations of
each study are open; those get the seeds of the next look, and all others keep what they have.
"""

from collections.abc import Sequence
from pathlib import Path

from cifarbench.files import read_model
from cifarbench.plan.plan import Look, Plan, PlannedStudy

FOLDER = "looks"  # beside plan.json


def read_looks(folder: Path) -> list[Look]:
    """Read the looks at the runs beside a plan in `folder`, up to the one after which nothing is open."""
    looks: list[Look] = []
    while (path := look_file(folder, len(looks) + 1)).exists() and not (looks and looks[-1].closed):
        looks.append(read_model(Look, path, "cifarbench look"))
    return looks


def look_file(folder: Path, number: int) -> Path:
    return folder / FOLDER / f"{number}.json"


def standing(plan: Plan, folder: Path) -> Plan:
    """Return a plan as it stands after the looks that it holds, or else that lie beside it in `folder`."""
    return plan if plan.looks else as_of(plan, read_looks(folder))


def as_of(plan: Plan, looks: Sequence[Look]) -> Plan:
    """Return the plan with the runs that are wanted after some looks, and the looks."""
    if not any(study.schedule for study in plan.studies):
        return plan
    by_id = {run.id: run for run in plan.runs}
    studies = []
    for study in plan.studies:
        wanted = seeds_wanted(study, looks)
        runs = [
            run
            for run in study.runs
            if not wanted or by_id[run].config.seed < wanted[by_id[run].configuration]
        ]
        studies.append(study.model_copy(update={"runs": runs}))
    kept = dict.fromkeys(run for study in studies for run in study.runs)
    return plan.model_copy(
        update={"studies": studies, "runs": [by_id[run] for run in kept], "looks": list(looks)}
    )


def seeds_wanted(study: PlannedStudy, looks: Sequence[Look]) -> dict[str, int]:
    """Return how many seeds each configuration of a study with a schedule shall have; nothing without one."""
    if not study.schedule:
        return {}
    wanted = dict.fromkeys(study.labels, study.schedule[0])
    for look, seeds in zip(looks, study.schedule[1:], strict=False):
        wanted |= {key: seeds for key in look.open.get(study.name, []) if key in wanted}
    return wanted


def stages(plan: Plan) -> dict[str, int]:
    """Return of each run that only a look may want the first one that can, from 1."""
    found = {run.id: len(plan.runs) for run in plan.runs}
    by_id = {run.id: run for run in plan.runs}
    for study in plan.studies:
        for run in study.runs:
            stage = sum(by_id[run].config.seed >= seeds for seeds in study.schedule[:-1])
            found[run] = min(found[run], stage)
    return {run: stage for run, stage in found.items() if stage}
