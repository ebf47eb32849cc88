"""How many times faster than a naive loop each model trains on this machine, if that was measured."""

from collections.abc import Iterator

from cifarbench.analysis.configuration import Seeds
from cifarbench.analysis.results import Results
from cifarbench.records.metrics import Metric
from cifarbench.report import figures
from cifarbench.report.drawing import plot
from cifarbench.report.section import Section
from cifarbench.report.strips import Entry, strips
from cifarbench.words import count

PLACE = 85
RATIO = Metric("Images per second, times those of a naive loop", "", "higher", "ratio")


def sections(results: Results) -> Iterator[Section]:
    if not results.speed:
        return
    rows = [row for row in results.speed["rows"] if row["way"] != "naive"]
    best: dict[str, float] = {}
    for row in rows:
        best[case(row)] = max(best.get(case(row), 0), row["ratio"])
    alt = "The fastest way beside a naive loop: " + "; ".join(f"{c} {r:.1f} times" for c, r in best.items())
    entries = [
        Entry(
            f"{case(row)}: {row['way']}", {0: row["ratio"]}, Seeds([], row["ratio"], *row["ratio_quartiles"])
        )
        for row in rows
    ]
    content = {
        "figure": strips(entries, RATIO, alt, [f"{row['ratio']:.1f} times" for row in rows]),
        "device": "one GPU"
        if results.speed["device"] == "cuda"
        else count(results.speed["threads"], "thread"),
        "rounds": results.speed["rounds"],
    }
    plots = [plot(figures.speed, "speed", rows, alt)]
    yield Section("speed", "Speed of training on this machine", "speed", content, plots)


def case(row: dict) -> str:
    return f"{row['model']}, batch {row['batch_size']}"
