"""What is wrong with a config as a whole, told before it is expanded: names, paths, how much it asks for."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from cifarbench.config.benchmark import Config, Dataset, is_url
from cifarbench.config.text import taken_literally
from cifarbench.data.catalogue import CATALOGUE, check_datasets
from cifarbench.data.manifest import MANIFEST
from cifarbench.errors import UserError
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.plan.grid import count_runs

MADE_HERE = (("results",), ("reports",))  # folders of the working directory that the workflow writes
SHOWN_COUNT = 10**15


def check(config: Config) -> None:
    """Raise UserError for the first fault."""
    check_datasets(config)
    _check_names(config)
    for place, path in _paths(config):
        _check_path(place, path)
    asked = count_runs(config)
    if asked > config.max_runs:
        number = f"{asked:,}" if asked < SHOWN_COUNT else f"more than {SHOWN_COUNT:,}"
        raise UserError(
            f"studies: {number} runs are asked for, and max_runs is {config.max_runs:,}; "
            "ask for less, or raise max_runs in the config"
        )


def _check_names(config: Config) -> None:
    """Names become folders, and there are file systems that do not tell `A` from `a`."""
    known = [name for name, entry in CATALOGUE.items() if entry.archives or entry.embedded]
    _check_distinct("studies", [study.name for study in config.studies])
    # A data set may be one's own copy of a known one, which it then stands for.
    own = [dataset.name for dataset in config.datasets]
    _check_distinct("datasets", own, [name for name in known if name not in own])
    _check_distinct("models", [model.name for model in config.models], BUILTIN_MODELS)


def _check_distinct(kind: str, names: Iterable[str], taken: Iterable[str] = ()) -> None:
    seen = {name.lower(): f"{name!r}, which comes with cifarbench" for name in taken}
    for index, name in enumerate(names):
        if name.lower() in seen:
            raise UserError(
                f"{kind}[{index}].name: {name!r} is not allowed: there is {seen[name.lower()]}, already; "
                "give each its own, in more than upper or lower case"
            )
        seen[name.lower()] = f"{name!r} in {kind}[{index}]"


def _paths(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each local path that a rule has as its input, with its place in the config."""
    yield from ((f"models[{n}].file", model.file) for n, model in enumerate(config.models))
    yield from ((f"datasets[{n}].source", d.source) for n, d in enumerate(config.datasets) if d.source)
    if config.claims is not None:
        yield "claims", config.claims


def _check_path(place: str, path: str) -> None:
    # A source is handed over by its name alone where need be; the others are inputs, so that an edit counts.
    if not place.startswith("datasets") and not taken_literally(path):
        raise UserError(
            f"{place}: {path!r} is not allowed: Snakemake fills in what stands in {{}} or <>; rename it"
        )
    if not is_url(path) and is_made_here(path):
        raise UserError(
            f"{place}: {path!r} is not allowed: the workflow itself writes there; move it elsewhere"
        )


def is_made_here(path: str) -> bool:
    return Path(os.path.relpath(path)).parts[:1] in MADE_HERE


def check_sources(datasets: Iterable[Dataset]) -> None:
    """Raise UserError for a data set that neither is in the working directory nor can be made there."""
    for dataset in datasets:
        source = dataset.source
        made = Path("data", dataset.name, MANIFEST).exists()
        if source and not is_url(source) and not made and not Path(source).exists():
            raise UserError(f"dataset {dataset.name!r}: source {source!r} is not there; set it to what is")
