"""The page beside the page, README.md: how the report is made, on what its runs were trained and for how
long, and what was not run, with what that would cost."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from cifarbench.analysis.results import Results
from cifarbench.analysis.table import records_in
from cifarbench.report.tables import as_markdown, for_markdown
from cifarbench.report.words import printable
from cifarbench.sweep.expectation import expect

TOLD_FROM = 5  # records of a configuration, which tell how fast its model is
HOURS = "hours of a job"
TRAINED_ON = ("environment.device_name", "environment.threads", "environment.versions.torch", "code.commit")

HOW = """\
`index.html` is drawn from `plan.json`, `runs.parquet` and `verified.json` alone:

```
snakemake --cores 1 published                              # draws all of this again, to the byte
snakemake --cores 4 --config known=reports/runs.parquet    # takes these runs, and trains what is left
cifarbench verify reports/runs.parquet                     # does the code of today train them the same?
```"""


def readme(results: Results) -> str:
    title = for_markdown(printable(results.plan.title))
    done = f"{len(results.done):,} of {len(results.plan.runs):,} runs are done."
    parts = [f"# {title}", done, HOW, *trained(results), *not_run(results)]
    return "\n\n".join(parts) + "\n"


def trained(results: Results) -> Iterator[str]:
    """Say where and from which commit runs were trained, and how many hours that took."""
    if results.done.empty:
        return
    told = results.done.reindex(columns=[*TRAINED_ON, "config.model", "times", "seconds.total"])
    told = told.assign(threads=told["environment.threads"].map("{:.0f}".format), one=1)
    told["shared"] = told["times"].eq("shared").astype(int)
    told["code.commit"] = told["code.commit"].fillna("not known").str[:12]
    yield "## Trained"
    yield as_markdown(hours(told, {"config.model": "model"}))
    where = {"environment.device_name": "device", "threads": "threads"}
    yield as_markdown(
        hours(told, {**where, "environment.versions.torch": "PyTorch", "code.commit": "commit"})
    )
    if told["shared"].any():
        yield "Times of runs whose machine did other work are told, and ranked nowhere."


def hours(told: pd.DataFrame, names: dict[str, str]) -> pd.DataFrame:
    groups = told.groupby(list(names), sort=False, dropna=False)
    summed = groups.agg(
        runs=("one", "sum"), shared=("shared", "sum"), seconds=("seconds.total", "sum")
    ).reset_index()
    summed[HOURS] = (summed.pop("seconds") / 3600).map("{:.1f}".format)
    return summed.rename(columns={**names, "shared": "beside other work"})


def not_run(results: Results) -> Iterator[str]:
    """Say what of each study has no record, and how long it would take one by one."""
    waiting = {run.id: run.config.model for run in results.plan.runs}
    for run in results.done["run"]:
        waiting.pop(run, None)
    if not waiting:
        return
    some = results.done.groupby("configuration").head(TOLD_FROM) if len(results.done) else results.done
    records = {record.run: record for record in records_in(some)} if len(some) else {}
    expected = expect(results.plan, records, machine=lambda _: "").expected_seconds
    parts = [(study.name, study.runs) for study in results.plan.studies]
    rows = [
        left(name, [run for run in runs if run in waiting], waiting, expected)
        for name, runs in [*parts, ("all, each once", list(waiting))]
    ]
    yield "## Not run"
    yield (
        "What it would take, one by one, if as fast as the records of the same model, on whatever machine. "
        "The page says what was begun and is not done."
    )
    yield as_markdown(pd.DataFrame([row for row in rows if row["runs"]]))


def left(
    name: str, runs: list[str], models: Mapping[str, str], expected: Mapping[str, float]
) -> dict[str, Any]:
    seconds = sum(expected.get(run, 0.0) for run in runs)
    return {
        "study": name,
        "runs": len(runs),
        HOURS: f"{seconds / 3600:.1f}" if seconds else "",
        "without these, of which no record tells": ", ".join(
            sorted({models[run] for run in runs if run not in expected})
        ),
    }
