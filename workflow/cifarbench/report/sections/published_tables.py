"""Published tables as they stand, with ours beside every figure, and figures that a project gives twice."""

from collections.abc import Iterator

from cifarbench.analysis.results import Results
from cifarbench.report.section import Section

PLACE = 55


def sections(results: Results) -> Iterator[Section]:
    judged = results.judged
    tables = [table for table in judged.tables if table.measured]
    if tables:
        groups = [group for group in judged.replicates if group.ruling.outcome != "not run"]
        content = {"tables": tables, "replicates": groups, "disagreements": judged.disagreements}
        title = "Published tables beside ours"
        yield Section("published-tables", title, "published_tables", content)
