"""Runs to look at: those without a record by why, diverged ones, and stale ones."""

from collections.abc import Iterator

from cifarbench.analysis.results import Results
from cifarbench.report.section import Section
from cifarbench.sweep.staleness import stale_runs

PLACE = 90


def sections(results: Results) -> Iterator[Section]:
    rows = results.table.reindex(columns=["run", "status", "last_words", "state"])
    by_state = rows[rows["status"] == "missing"].groupby("state")
    runs = {state: group["run"].tolist() for state, group in by_state}
    words = dict(zip(rows["run"], rows["last_words"], strict=True))
    content = {
        **{state: [(run, words[run]) for run in runs.get(state, ())] for state in ("broken", "failed")},
        **{state: runs.get(state) for state in ("running", "interrupted", "waiting")},
        "diverged": rows[rows["status"] == "diverged"]["run"].tolist(),
        "stale": list(stale_runs(results.table, results.verified).items()),
    }
    if any(content.values()):
        yield Section("not-completed", "Runs to look at", "attention", content | {"done": len(results.done)})
