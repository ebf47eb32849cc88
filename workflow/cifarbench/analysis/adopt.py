"""Take runs from known results instead of training them.

A run is adopted if it has the same id, was trained on the images that are here, and by sources and a model
file that are equal to those here, or that `cifarbench verify` has found to train it the same. What a known
table holds of a run is written into the folder that its training would have written, but for the weights.
A run that was trained here stays, and one that was adopted once is not given up for a change of the sources
since, no more than one that was trained.
"""

import base64
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from cifarbench.analysis.known import FILES, read_known
from cifarbench.analysis.merge import check_data, keep_verified, repetitions, with_repeated
from cifarbench.analysis.table import records_in
from cifarbench.config.benchmark import Known
from cifarbench.config.ids import PLACES
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.manifest import MANIFEST, read_manifest
from cifarbench.errors import UserError
from cifarbench.files import atomic, read_model, write_text
from cifarbench.models.catalogue import BUILTIN_MODELS, needs_file, source_of
from cifarbench.models.sources import model_sha256
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.folder import ADOPTED, WEIGHTS
from cifarbench.records.record import Adopted, Kept, Record, write_record
from cifarbench.records.verified import Origin, read_verified
from cifarbench.sweep.jobs import RUNS, Jobs
from cifarbench.sweep.staleness import ORIGIN, in_words
from cifarbench.words import count

EXTRA_TESTS = "final.extra_tests"
AS_BEFORE = ""
"""Of a run that was adopted already: known to be the same as it was then."""

log = logging.getLogger(__name__)


class Here(NamedTuple):
    """What a run would be trained from here: hashes of the sources, and by name of each model's file and of
    the images of each data set that is normalised already."""

    sources: str
    models: Mapping[str, str]
    images: Mapping[str, str]

    def fits(self, origin: Origin, model: str) -> bool:
        return origin[:2] == (self.sources, self.models.get(model))


class NotTaken(str):
    """Why a run is not adopted."""


class Adoption(NamedTuple):
    """The rows of the runs that are adopted, each once, with `how` it is known that they are trained the same
    here, and the others by source and reason."""

    rows: pd.DataFrame
    refused: dict[tuple[str, str], list[str]]

    @property
    def runs(self) -> list[str]:
        return self.rows["run"].tolist()

    def in_words(self) -> list[str]:
        lines = [
            f"{count(len(rows), 'run is', 'runs are')} taken from {source}"
            for source, rows in self.rows.groupby("source", sort=False)
        ]
        return lines + [
            f"{count(len(runs), 'run')} of {source} {'is' if len(runs) == 1 else 'are'} not taken: {reason} "
            f"({runs[0]}{', ...' if len(runs) > 1 else ''})"
            for (source, reason), runs in self.refused.items()
        ]


def here(plan: Plan, own_models: Mapping[str, Path], data: Path) -> Here:
    files = {**BUILTIN_MODELS, **own_models}
    used = {run.config.model for run in plan.runs}
    sources = {name: source_of(name, files) for name in used if name in files or not needs_file(name)}
    return Here(
        training_source_hash(),
        {name: model_sha256(source) for name, source in sources.items()},
        {
            dataset.name: read_manifest(data / dataset.name).images_sha256
            for dataset in plan.datasets
            if (data / dataset.name / MANIFEST).exists()
        },
    )


class Judge:
    """Tells of the runs of one known source how each is known to be trained the same here, or why not."""

    def __init__(self, source: str, here: Here, kept: Collection[str]) -> None:
        self.source, self.here, self.kept = source, here, kept
        self.replays = read_verified(Path(source).parent).by_run()

    def how(self, row: Mapping[str, Any]) -> str | NotTaken:
        run, model = row["run"], row["config.model"]
        for dataset, images in images_of(row):
            if self.here.images.get(dataset, images) != images:
                return NotTaken(f"its images are not those in data/{dataset}")
        origin = Origin(*(row[column] for column in ORIGIN))
        if self.here.fits(origin, model):
            return "trained by the sources that are here"
        replay = self.replays.get((run, origin))
        current = replay is not None and self.here.fits(replay.replayed, model)
        if replay and current and replay.same:
            return f"verified {in_words(replay)}"
        # An edit of a file of the user's own trains again, of what was trained as of what was adopted.
        own_edited = needs_file(model) and origin.model_sha256 != self.here.models.get(model)
        if run in self.kept and not own_edited:
            return AS_BEFORE
        if replay and current:
            return NotTaken(f"`cifarbench verify` found that it trains otherwise now: {replay.difference}")
        return NotTaken(f"trained by other sources than those here; `cifarbench verify {self.source}` tells")


def images_of(row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the name of each data set that a run trained or was tested on, and the hash of its images."""
    yield row["data.name"], row["data.images_sha256"]
    tests: Any = row.get(EXTRA_TESTS)
    for test in tests if np.ndim(tests) else ():  # no list in a run from before there were any
        yield test["name"], test["images_sha256"]


def choose(
    known: Sequence[Known], plan: Plan, here: Here, runs_folder: Path, forced: Collection[str] = ()
) -> Adoption:
    """Read what is known and choose what is adopted of it; runs in `forced` are to be trained.

    Raise UserError for known results that are no such, were changed, or contradict each other.
    """
    planned = {run.id for run in plan.runs}
    wanted = {run for run in planned - set(forced) if not (runs_folder / run / WEIGHTS).exists()}
    kept = {run for run in wanted if (runs_folder / run / ADOPTED).exists()}
    tables, refused = [], dict[tuple[str, str], list[str]]()
    for one in known:
        table = read_known(Path(one.table))
        if unplanned := table["run"][~table["run"].isin(planned)].tolist():
            refused[one.table, "not in the plan"] = unplanned
        table = table[table["run"].isin(wanted)]
        how = judged(table, Judge(one.table, here, kept))
        for run, reason in zip(table["run"], how, strict=True):
            if isinstance(reason, NotTaken):
                refused.setdefault((one.table, reason), []).append(run)
        is_taken = np.array([not isinstance(word, NotTaken) for word in how], dtype=bool)
        taken = table.assign(how=how)[is_taken]
        tables.append(taken.assign(times="shared") if one.times == "shared" else taken)
    rows = pd.concat(tables, ignore_index=True)
    check_data(rows)
    rows = with_repeated(rows, repetitions(rows)).drop_duplicates("run", ignore_index=True)
    return Adoption(rows, refused)


def judged(table: pd.DataFrame, judge: Judge) -> list[str | NotTaken]:
    unknown = [
        name for name in table if name.startswith("config.") and name[7:] not in TrainConfig.model_fields
    ]
    asked = {"run", "config.model", "data.name", "data.images_sha256", EXTRA_TESTS, *ORIGIN, *unknown}
    columns = [name for name in table if name in asked]
    found: list[str | NotTaken] = []
    for row in table[columns].to_dict("records"):
        knob = next((name for name in unknown if np.ndim(row[name]) or not pd.isna(row[name])), None)
        found.append(NotTaken(f"{knob} is not known here") if knob else judge.how(row))
    return found


def of_jobs(jobs: Jobs) -> Adoption:
    """Choose what is adopted in the working directory."""
    own = {model.name: Path(model.file) for model in jobs.config.models}
    return choose(jobs.config.known, jobs.plan, here(jobs.plan, own, Path("data")), RUNS, jobs.forced)


def adopt(adoption: Adoption, plan: Plan, runs_folder: Path, while_known: bool = False) -> None:
    """Write the folder of each run, its record last, and keep how they were verified beside the runs.

    If `while_known`, they are trained once the config does not name where they come from any more.
    """
    planned = {run.id: run for run in plan.runs}
    records = records_in(adoption.rows)
    for record in records:
        check_config(record, planned[record.run])
    for record, row in zip(records, adoption.rows.to_dict("records"), strict=True):
        write_run(record, row, runs_folder / record.run, while_known)
    keep_verified(adoption.rows, runs_folder.parent)


def check_config(record: Record, run: Run) -> None:
    if record.configuration != run.configuration:
        raise UserError(
            f"run {run.id}: configuration is {record.configuration!r}, but {run.configuration!r} by its id; "
            "the table was changed, collect it again"
        )
    for (name, found), (_, planned) in zip(record.config, run.config, strict=True):
        if found != planned and name not in PLACES:
            raise UserError(
                f"run {record.run}: {name} is {found!r}, but {planned!r} by its id; the table was changed, "
                "collect it again"
            )


def write_run(record: Record, row: Mapping[str, Any], folder: Path, while_known: bool) -> None:
    how = row["how"] or read_model(Kept, folder / ADOPTED, "cifarbench adopt").verified
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files_of(row).items():
        with atomic(folder / name) as temporary:
            temporary.write_bytes(content)
    kept = Kept(verified=how, while_known=while_known, **of_images(row))
    write_text(folder / ADOPTED, kept.model_dump_json() + "\n")
    adopted = Adopted(source=row["source"], verified=how)
    write_record(record.model_copy(update={"adopted": adopted}), folder)
    log.info("%s: from %s, %s", record.run, row["source"], how)


def files_of(row: Mapping[str, Any]) -> dict[str, bytes]:
    files = row.get(FILES)
    return files if isinstance(files, dict) else {}


def of_images(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row tells of the test images; nothing of a run without predictions."""
    correct = row.get("correct")
    if not isinstance(correct, bytes):
        return {}
    calibration = {name: list(row[f"calibration.{name}"]) for name in ("images", "confidence", "accuracy")}
    return {"correct": base64.b64encode(correct).decode(), "calibration": calibration}
