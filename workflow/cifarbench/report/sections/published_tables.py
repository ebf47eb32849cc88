"""Published tables as they stand, with ours beside every figure, and figures that a project gives twice."""

from collections.abc import Iterator

from cifarbench.analysis.judged import needs
from cifarbench.analysis.published import TableVerdict
from cifarbench.analysis.results import Results
from cifarbench.analysis.verdicts import evidence
from cifarbench.records.metrics import METRICS
from cifarbench.report.section import Section
from cifarbench.words import listed

PLACE = 55


def sections(results: Results) -> Iterator[Section]:
    judged = results.judged
    tables = [table for table in judged.tables if table.measured]
    if tables:
        groups = [group for group in judged.replicates if group.ruling.outcome != "not run"]
        content = {
            "tables": tables,
            "replicates": [(group, needs(group.ruling)) for group in groups],
            "disagreements": judged.disagreements,
            "copies": copies(results, tables),
        }
        title = "Published tables beside ours"
        yield Section("published-tables", title, "published_tables", content)


def copies(results: Results, tables: list[TableVerdict]) -> list[str]:
    """Say of which copies of the images our figures are, and what that may cost them."""
    known = evidence(results.plan, results.done)
    cells = (cell for judged in tables for row in judged.table.rows for cell in row.cells if cell)
    found = {copy.what: copy.lower for cell in cells if (copy := known.copy_of(cell.quantity))}
    return [f"Ours are on {what}, which may cost {listed(costs(lower))}." for what, lower in found.items()]


def costs(lower: dict[str, float]) -> list[str]:
    of = ((METRICS[name], value) for name, value in lower.items())
    return [
        f"{metric.number(value)} {metric.unit_of_difference} of {metric.title.lower()}".replace("  ", " ")
        for metric, value in of
    ]
