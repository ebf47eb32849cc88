"""Why each run of a config would be trained: `cifarbench plan CONFIG --why`.

Which runs, and by what trigger, is Snakemake's own answer (`snakemake --dry-run`, which takes no lock), so
that the two cannot disagree; what that means is read from the records.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from cifarbench.config.ids import format_value
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.manifest import MANIFEST, read_manifest
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Record, read_record
from cifarbench.records.verified import Verified, read_verified
from cifarbench.sweep.snakemake_internals import training_reasons, workdir_of
from cifarbench.sweep.staleness import short, stale_now
from cifarbench.words import count


def why(plan: Plan, config: Path, runs_folder: Path) -> str:
    """Return a line for each run that would be trained, and what of the rest is stale."""
    workdir = workdir_of(runs_folder)
    triggers = training_reasons(config, workdir)
    records = {path.parent.name: read_record(path) for path in sorted(runs_folder.glob(f"*/{RECORD}"))}
    training = [run for run in plan.runs if run.id in triggers]
    lines = [
        f"{len(training)} of {count(len(plan.runs), 'run')} would be trained:"
        if training
        else "Nothing would be trained."
    ]
    lines += [f"  {run.id}: {reason(run, triggers[run.id], plan, records, workdir)}" for run in training]
    done = [records[run.id] for run in plan.runs if run.id in records and run.id not in triggers]
    return "\n".join([*lines, *not_again(done, read_verified(runs_folder.parent))])


def reason(run: Run, trigger: str, plan: Plan, records: dict[str, Record], workdir: Path) -> str:
    """Put Snakemake's trigger in words."""
    if run.id not in records:
        return no_record(run, plan, records.values())
    record = records[run.id]
    if trigger.startswith("Missing output files: "):
        return f"{trigger[0].lower()}{trigger[1:]}"
    images = {test.name: test.images_sha256 for test in record.final.extra_tests}
    images[run.config.dataset] = record.data.images_sha256
    changed = next((name for name in images if f"data/{name}/{MANIFEST}" in trigger), None)
    if "Input files updated by another job" in trigger:
        first = changed or run.config.dataset
        return f"data set {first!r} is normalised first; trained only if that changes its manifest"
    if changed:
        now = read_manifest(workdir / "data" / changed).images_sha256
        of_what = "" if changed == run.config.dataset else f" of {changed!r}"
        return f"data changed: images{of_what} {short(images[changed])} -> {short(now)}"
    if trigger.startswith("Updated input files: "):
        return f"model file changed: {trigger.removeprefix('Updated input files: ')}"
    return trigger


def no_record(run: Run, plan: Plan, records: Iterable[Record]) -> str:
    """Say what tells the run from the recorded one of its model and seed that is nearest to it.

    One that the plan has no longer comes first: its config is what was changed.
    """
    planned = {other.id for other in plan.runs}
    like = [r for r in records if (r.config.model, r.config.seed) == (run.config.model, run.config.seed)]
    left = [record for record in like if record.run not in planned]
    nearest = min(left or like, key=lambda record: len(differences(record.config, run.config)), default=None)
    if nearest is None:
        return "no record yet"
    changes = ", ".join(differences(nearest.config, run.config))
    return f"{'config changed' if left else 'no record yet'}: {changes} (against {nearest.run})"


def differences(old: TrainConfig, new: TrainConfig) -> list[str]:
    """Return the knobs that differ, each as `name old -> new`."""
    return [
        f"{name} {format_value(before)} -> {format_value(after)}"
        for (name, before), (_, after) in zip(old, new, strict=True)
        if before != after
    ]


def not_again(done: list[Record], verified: Verified) -> Iterator[str]:
    """Say what differs in origin and is all the same not trained again."""
    for text, number in Counter(stale_now(done, verified).values()).most_common():
        yield (
            f"{count(number, 'done run')}: {text}; that alone trains nothing again "
            "(rerun-triggers in profiles/default); snakemake --forcerun train does"
        )
