"""What each study found, how much of it is done, and whether it can be answered."""

from collections.abc import Iterator
from typing import NamedTuple

from cifarbench.analysis.results import Results
from cifarbench.analysis.stats import FEWEST
from cifarbench.plan.plan import PlannedStudy
from cifarbench.report.contrasts import finding
from cifarbench.report.section import Section, study_anchor

PLACE = 20


class Progress(NamedTuple):
    title: str
    anchor: str
    found: str
    done: int
    planned: int
    answer: str


def sections(results: Results) -> Iterator[Section]:
    rows = [progress(results, study) for study in results.plan.studies]
    content = {
        "rows": [row for row in rows if row.found],
        "waiting": [row for row in rows if not row.found],
        "fewest": FEWEST,
    }
    yield Section("studies", "What each study found", "progress", content)


def progress(results: Results, study: PlannedStudy) -> Progress:
    measured = [m for m in results.studies if m.study.name == study.name]
    several = len(measured) > 1
    found = " ".join(f"On {m.family.dataset}: {finding(m)}" if several else finding(m) for m in measured)
    done = int(results.done["run"].isin(study.runs).sum())
    anchor = study_anchor(measured[0].name) if measured else ""
    return Progress(study.title, anchor, found, done, len(study.runs), answerable(results, study))


def answerable(results: Results, study: PlannedStudy) -> str:
    """Say whether there are runs enough to compare the study's configurations."""
    if study.is_crossed:
        done = set(study.runs) <= set(results.done["run"])
        return "yes" if done else "not yet"
    seeds = results.done[results.done["run"].isin(study.runs)].groupby("configuration").size()
    ready, planned = int((seeds >= FEWEST).sum()), len(study.labels)
    if ready == planned > 1:
        return "yes"
    return f"in part: {ready} of {planned}" if ready > 1 else "not yet"
