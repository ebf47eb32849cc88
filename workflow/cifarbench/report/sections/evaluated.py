"""Weights of others on these test images; nothing is known of their training."""

from collections.abc import Iterator

from cifarbench.analysis.results import Results
from cifarbench.report.section import Section

PLACE = 75


def sections(results: Results) -> Iterator[Section]:
    if results.evaluated:
        rows = sorted(results.evaluated, key=lambda other: -other.test.top1)
        yield Section("evaluated", "Evaluated, not trained here", "evaluated", {"rows": rows})
