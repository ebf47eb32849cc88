"""Write a bundle: one Python zip application that trains runs on a machine with PyTorch and nothing else.

It holds the rooms of the package that train, the pure-Python packages that they use, under their own
licences, stand-ins for two whose core is compiled, and the runs in the order in which they tell most.
"""

import json
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.metadata import distribution
from pathlib import Path

from cifarbench.bundle import start
from cifarbench.bundle.images import IMAGES_IN, MANIFESTS
from cifarbench.bundle.task import TASK, Images, Task, Training
from cifarbench.config.benchmark import Dataset, ReadOptions
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.catalogue import format_of
from cifarbench.data.manifest import IMAGES, MANIFEST, read_manifest
from cifarbench.files import atomic
from cifarbench.models.sources import model_sources
from cifarbench.plan.grid import Run
from cifarbench.plan.plan import Plan
from cifarbench.records.fingerprint import PACKAGE
from cifarbench.records.folder import PACKED
from cifarbench.training.pack import is_current

ROOMS = ("config", "data", "models", "records", "training")
AWAY = ("__init__", "away", "images", "results", "task")
# Packages by their distributions, whose licences come along: MIT, and BSD.
PURE_PYTHON = {"platformdirs": "platformdirs", "nvidia-ml-py": "pynvml"}
SHEBANG = b"#!/usr/bin/env python3\n"


def done_here(plan: Plan, own_models: Mapping[str, Path], runs: Path, data: Path) -> set[str]:
    """Return the runs that have a current result."""
    return {
        run.id
        for run in plan.runs
        for folder in (runs / run.id, runs / run.id / PACKED)
        if is_current(folder, data / run.config.dataset, run.config, own_models.get(run.config.model))
    }


def most_telling_first(runs: Sequence[Run], done: Collection[str]) -> list[Run]:
    """Return the runs that are not done: one seed of every configuration before the second of any."""
    seeds = Counter(run.configuration for run in runs if run.id in done)
    turns = []
    for run in runs:
        if run.id not in done:
            turns.append((seeds[run.configuration], run))
            seeds[run.configuration] += 1
    return [run for _, run in sorted(turns, key=lambda turn: turn[0])]


def write_bundle(
    plan: Plan,
    runs: Sequence[Run],
    own_models: Mapping[str, Path],
    data: Path,
    output: Path,
    minutes: float | None = None,
    with_data: bool = False,
) -> list[str]:
    """Write the bundle that trains `runs`, a part of the plan's; return the data sets that it needs.

    Raise UserError for one that is not normalised here.
    """
    used = {name for run in runs for name in (run.config.dataset, *run.config.extra_tests)}
    datasets = [dataset for dataset in plan.datasets if dataset.name in used]
    own = {name: path for name, path in own_models.items() if name in {run.config.model for run in runs}}
    task = Task(
        title=plan.title,
        minutes=minutes,
        datasets={dataset.name: images_of(dataset, data) for dataset in datasets},
        runs=[training(run, own) for run in runs],
    )
    with atomic(output) as temporary, temporary.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in sorted(members(task, runs, own, data)):
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            for name in task.datasets if with_data else ():
                archive.write(data / name / IMAGES, f"{IMAGES_IN}/{name}")
    return list(task.datasets)


def images_of(dataset: Dataset, data: Path) -> Images:
    options = ReadOptions(**{name: getattr(dataset, name) for name in ReadOptions.model_fields})
    manifest = read_manifest(data / dataset.name)
    return Images(
        format=format_of(dataset),
        sha256=dataset.sha256,
        options=options,
        images_sha256=manifest.images_sha256,
    )


def training(run: Run, own: Mapping[str, Path]) -> Training:
    model, knobs = run.config.model, run.config.changed()
    if run.config.initial_weights:
        knobs["initial_weights"] = weights_name(run.config)
    return Training(knobs=knobs, model_file=f"models/{model}/{own[model].name}" if model in own else None)


def weights_name(config: TrainConfig) -> str:
    return f"weights/{config.initial_weights_sha256}"


def members(
    task: Task, runs: Sequence[Run], own: Mapping[str, Path], data: Path
) -> Iterator[tuple[str, bytes]]:
    """Yield what a bundle holds beside images, by name."""
    yield "__main__.py", Path(start.__file__).read_bytes()
    yield TASK, task.model_dump_json(indent=1).encode()
    for name in task.datasets:
        yield f"{MANIFESTS}/{name}/{MANIFEST}", (data / name / MANIFEST).read_bytes()
    files = {weights_name(run.config): run.config.initial_weights for run in runs}
    yield from ((name, Path(file).read_bytes()) for name, file in files.items() if file)
    for model, path in own.items():
        for source in model_sources(path):
            yield f"models/{model}/{source.relative_to(path.parent).as_posix()}", source.read_bytes()
    yield from ((f"code/{name}", content) for name, content in code())


def code() -> Iterator[tuple[str, bytes]]:
    """Yield what a bundle imports, by name, and the commit that it is of."""
    from cifarbench.training.environment import COMMIT, git_state

    yield f"cifarbench/{COMMIT.name}", json.dumps(git_state()).encode()
    for pattern in ("*.py", *(f"{room}/**/*.py" for room in ROOMS), *(f"bundle/{name}.py" for name in AWAY)):
        for path in PACKAGE.glob(pattern):
            yield f"cifarbench/{path.relative_to(PACKAGE).as_posix()}", path.read_bytes()
    yield from pure_python()
    yield from standins()


def pure_python() -> Iterator[tuple[str, bytes]]:
    for package, module in PURE_PYTHON.items():
        for file in distribution(package).files or ():
            of_module = file.suffix == ".py" and file.parts[0].removesuffix(".py") == module
            if of_module or file.name == "METADATA" or "licenses" in file.parts:
                yield file.as_posix(), Path(str(file.locate())).read_bytes()


def standins() -> Iterator[tuple[str, bytes]]:
    for name in ("pydantic", "safetensors"):
        yield f"{name}/__init__.py", (PACKAGE / "bundle" / "standins" / f"{name}.py").read_bytes()
        # The versions that records have.
        yield f"{name}-0.dist-info/METADATA", f"Name: {name}\nVersion: stand-in\n".encode()
    for kind in ("numpy", "torch"):
        yield f"safetensors/{kind}.py", b"from safetensors import load_file, save_file\n"
