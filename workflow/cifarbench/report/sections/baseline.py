"""These results beside those of another table."""

from collections.abc import Iterator

from cifarbench.analysis.compare import in_words
from cifarbench.analysis.results import Results
from cifarbench.report.section import Section

PLACE = 80


def sections(results: Results) -> Iterator[Section]:
    if results.comparison:
        rows = [(compared, in_words(compared)) for compared in results.comparison.compared]
        content = {"rows": rows, "comparison": results.comparison}
        yield Section("baseline", "Beside the baseline", "baseline", content)
