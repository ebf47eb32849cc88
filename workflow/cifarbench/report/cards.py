"""What a row of the table unfolds into: whatever is needed to cite a figure and to make it again.

Facts that many runs share are kept once; page.js lays a card out when its row is opened.
"""

import shlex
from typing import Any

import numpy as np
import pandas as pd

from cifarbench.analysis.results import Results
from cifarbench.config.benchmark import Dataset
from cifarbench.config.flags import flags
from cifarbench.data.catalogue import downloads, read_flags
from cifarbench.models.catalogue import file_flags
from cifarbench.records.metrics import METRICS
from cifarbench.report.citation import citation
from cifarbench.sweep.staleness import standings

FACTS = {
    "Commit": "code.commit",
    "Device": "environment.device_name",
    "Threads": "environment.threads",
    "Platform": "environment.platform",
    "Python": "environment.python",
}
VERSIONS = "environment.versions."


def cards(results: Results) -> dict[str, Any]:
    """Return the facts of all runs, each set once, and for each configuration its data sets, and its runs:
    id, seed, flags of `cifarbench train`, and the number of its facts."""
    sets: dict[tuple[tuple[str, str], ...], int] = {}
    places = standings(results.table, results.verified)
    configs = {run.id: run.config for run in results.plan.runs}
    calls = {run: shlex.join([*flags(c), *file_flags(c.model)]) for run, c in configs.items()}
    found: dict[str, list[list[Any]]] = {}
    for row in results.done.to_dict("records"):
        run, config = str(row["run"]), configs[str(row["run"])]
        facts = tuple({**facts_of(row), "Behaviour": ": ".join(filter(None, places[run]))}.items())
        number = sets.setdefault(facts, len(sets))
        found.setdefault(str(row["configuration"]), []).append([run, config.seed, calls[run], number])
    datasets = {key: configs[runs[0][0]] for key, runs in found.items()}
    used = {name for config in configs.values() for name in (config.dataset, *config.extra_tests)}
    return {
        "facts": [list(map(list, facts)) for facts in sets],
        "runs": found,
        "datasets": {key: [config.dataset, *config.extra_tests] for key, config in datasets.items()},
        "setup": {
            dataset.name: commands(dataset) for dataset in results.plan.datasets if dataset.name in used
        },
        "citation": citation(results),
    }


def facts_of(row: dict[str, Any]) -> dict[str, str]:
    facts = {title: row.get(column) for title, column in FACTS.items()}
    said = {title: f"{v:g}" if isinstance(v, float) else str(v) for title, v in facts.items() if known(v)}
    if row.get("code.dirty") is True:
        said["Commit"] = f"{said.get('Commit', 'unknown')}, with changes that were not committed"
    versions = [
        f"{column.removeprefix(VERSIONS)} {value}"
        for column, value in row.items()
        if str(column).startswith(VERSIONS) and known(value)
    ]
    if known(row.get("adopted.source")):
        said["Adopted"] = f"from {row['adopted.source']}, {row['adopted.verified']}"
    if row.get("times") == "shared":
        said["Times"] = "beside other work on the machine, so not ranked"
    repeated: Any = row.get("repeated")
    if np.ndim(repeated):
        said["Trained again"] = "; ".join(again(one) for one in repeated)
    data = f"{row['data.name']}, sha256 of the images {row['data.images_sha256']}"
    return {"Data": data, **said, "Versions": ", ".join(versions)}


def again(repeated: dict[str, Any]) -> str:
    accuracy = METRICS["test_accuracy"].write(repeated["test_accuracy"])
    return f"{accuracy} on {repeated['device_name']}, {repeated['finished'][:10]}, from {repeated['source']}"


def known(value: Any) -> bool:
    return value is not None and not pd.isna(value)


def commands(dataset: Dataset) -> list[str]:
    """Return the commands that make a data set ready."""
    folder = f"data/{dataset.name}"
    files = {f"{folder}/{name}": archive for name, archive in downloads(dataset).items()}
    fetch = [
        ["download", "--url", archive.url, "--checksum", archive.checksum or "none", "--output", path]
        for path, archive in files.items()
    ]
    sources = list(files) or ([dataset.source] if dataset.source else [])
    given = ["--source", *sources] if sources else []
    make = ["--name", dataset.name, "--format", str(dataset.format), *given, *read_flags(dataset)]
    calls = [*fetch, ["normalise", *make, "--output", folder]]
    return [shlex.join(["cifarbench", *call]) for call in calls]
