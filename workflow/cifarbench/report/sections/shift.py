"""Accuracy under shift: on the data sets of `extra_tests`, and on the groups of images in them."""

from collections.abc import Iterator
from typing import Any

from cifarbench.analysis.configuration import best_first
from cifarbench.analysis.family import Family
from cifarbench.analysis.results import Results
from cifarbench.analysis.shift import Shifted, margin, shifted
from cifarbench.report.section import Section
from cifarbench.report.words import percent, slug, spread

PLACE = 35
PARTS = ("corruption", "severity")  # of the name of a group


def sections(results: Results) -> Iterator[Section]:
    for name, family in results.families.items():
        several = len(results.families) > 1
        rows = rows_of(family)
        if any(row.tests for row in rows):
            where = f" ({name})" if several else ""
            yield Section(
                slug(f"shift-{name}"), f"Accuracy on other images{where}", "shift", content(rows, name)
            )


def rows_of(family: Family) -> list[Shifted]:
    found = [shifted(c) for c in best_first(family.configurations)]
    return [one for one in found if one.tests]


def content(rows: list[Shifted], dataset: str) -> dict[str, Any]:
    tests = list(dict.fromkeys(name for row in rows for name in row.tests))
    return {
        "dataset": dataset,
        "tests": tests,
        "rows": [
            (
                row.configuration.label,
                spread(row.configuration.metrics["test_accuracy"], "test_accuracy"),
                [spread(row.tests.get(name), "shifted_accuracy") for name in tests],
            )
            for row in rows
        ],
        "groups": [table for name in tests for table in by_group(rows, name)],
    }


def by_group(rows: list[Shifted], test: str) -> Iterator[tuple[str, list[str], list[tuple[str, list[str]]]]]:
    """Yield a table of the mean over corruptions and one over severities: title, heads and rows."""
    for part, title in enumerate(PARTS):
        means = {
            row.configuration.label: margin(row.groups[test], part) for row in rows if test in row.groups
        }
        heads = list(dict.fromkeys(name for found in means.values() for name in found))
        if heads:
            lines = [
                (label, [percent(found[name]) if name in found else "–" for name in heads])
                for label, found in means.items()
            ]
            yield f"{test}, by {title}", [head.replace("_", " ") for head in heads], lines
