"""What the figures rest on: data, hardware, versions, commit, and whether all sources are the same."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from cifarbench.analysis.results import Results
from cifarbench.records.metrics import METRICS
from cifarbench.report.section import Section
from cifarbench.sweep.staleness import stale_runs, standings
from cifarbench.words import count

PLACE = 100


def sections(results: Results) -> Iterator[Section]:
    if results.done.empty:
        return
    facts = {
        "Data (sha256 of the images)": [
            f"{row['data.name']}: {row['data.images_sha256']}"
            for _, row in results.done.drop_duplicates("data.images_sha256").iterrows()
        ],
        "How the images were read": told(results, "data.description"),
        "Images of a run": [images(results, name) for name in results.families],
        "Device": results.distinct("environment.device_name"),
        "Threads per run": [f"{n:.0f}" for n in results.distinct("environment.threads")],
        "Driver": results.distinct("environment.driver"),
        "Platform": results.distinct("environment.platform"),
        "Python": results.distinct("environment.python"),
        **{
            column.removeprefix("environment.versions."): results.distinct(column)
            for column in results.done
            if column.startswith("environment.versions.")
        },
        "cifarbench": results.distinct("code.version"),
        "Commit": results.distinct("code.commit"),
        "Beside the newest": [f"{count(n, 'run')} {where}" for where, n in beside_newest(results)],
        "Not trained here": adopted(results),
        "Trained twice, independently": repeated(results),
        "Sources that decide training": [s[:12] for s in results.distinct("code.source_sha256")],
    }
    content = {"facts": {k: v for k, v in facts.items() if v}, "warnings": warnings(results)}
    yield Section("provenance", "Where the figures come from", "provenance", content)


def told(results: Results, column: str) -> list[str]:
    """Return the lines that records hold of each data set; older ones hold none."""
    rows = results.done.drop_duplicates("data.images_sha256")
    return [
        f"{row['data.name']}: {line}"
        for _, row in rows.iterrows()
        for line in (row[column] if np.ndim(row.get(column)) else [])
    ]


def images(results: Results, dataset: str) -> str:
    """Say how many images runs had, each number once."""
    rows = results.done[results.done["data.name"] == dataset]
    sizes = (
        f"{' or '.join(f'{size:,.0f}' for size in sorted(rows[f'data.{part}_images'].unique()))} {said}"
        for part, said in (("train", "training"), ("validation", "validation"), ("test", "test"))
    )
    return f"{dataset}: {', '.join(sizes)}"


def beside_newest(results: Results) -> list[tuple[str, int]]:
    """Say where runs stand beside the newest, and how many, most first."""
    found = standings(results.table, results.verified).values()
    return Counter(": ".join(filter(None, where)) for where in found).most_common()


def adopted(results: Results) -> list[str]:
    """Say what was taken from known results, and how that is known to be the same."""
    if "adopted.source" not in results.done:
        return []
    taken = results.done.dropna(subset=["adopted.source"])
    found = Counter(zip(taken["adopted.source"], taken["adopted.verified"], strict=True))
    return [f"{count(n, 'run')} adopted from {source}, {how}" for (source, how), n in found.most_common()]


def repeated(results: Results) -> list[str]:
    """Say of how many runs there is more than one training, and how far apart these are."""
    if "repeated" not in results.done:
        return []
    twice = results.done[results.done["repeated"].map(lambda told: np.ndim(told) > 0 and len(told) > 0)]
    apart = [
        abs(again["test_accuracy"] - accuracy)
        for accuracy, others in zip(twice["final.test.top1"], twice["repeated"], strict=True)
        for again in others
    ]
    if not apart:
        return []
    points = [f"{METRICS['test_accuracy'].number(value)}" for value in (np.mean(apart), max(apart))]
    same = f"{sum(gap == 0 for gap in apart)} of {len(apart)} repetitions have the same test accuracy"
    return [f"{count(len(twice), 'run')}: {same}; {points[0]} points apart on average, {points[1]} at most"]


def warnings(results: Results) -> list[str]:
    found = told(results, "data.warnings")
    if stale_runs(results.table, results.verified):
        found.append("Some runs were made from something else than the newest, and not verified as the same.")
    if results.done["code.dirty"].eq(True).any():
        found.append("Some runs were made from sources that differ from their commit.")
    if not results.same_hardware:
        found.append("The runs come from different hardware; do not compare their times.")
    return found
