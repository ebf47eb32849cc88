"""Accuracy against training time, parameters and FLOPs, where they differ."""

from collections.abc import Iterator

from cifarbench.analysis.configuration import COSTS
from cifarbench.analysis.family import Family
from cifarbench.analysis.results import OnFront, Results, pareto_front
from cifarbench.records.metrics import METRICS
from cifarbench.report import charts, figures
from cifarbench.report.drawing import plot
from cifarbench.report.section import Section
from cifarbench.report.words import slug, spread

PLACE = 40


def sections(results: Results) -> Iterator[Section]:
    for dataset, family in results.families.items():
        several = len(results.families) > 1
        yield from _of(results, family, f"-{dataset}" if several else "", f" ({dataset})" if several else "")


def _of(results: Results, family: Family, suffix: str, where: str) -> Iterator[Section]:
    priced = {cost: [c for c in family.configurations if cost in c.metrics] for cost in COSTS}
    fronts = {
        cost: pareto_front(family, cost)
        for cost in COSTS
        if (results.same_hardware or cost != "seconds")
        and len({c.metrics[cost].centre for c in priced[cost]}) > 1
    }
    if not fronts:
        return
    members = {cost: [member.configuration for member in front] for cost, front in fronts.items()}
    said = {cost: in_words(front, cost) for cost, front in fronts.items()}
    plots = [
        plot(figures.cost, f"cost-{cost}{suffix}", priced[cost], members[cost], cost, said[cost])
        for cost in fronts
    ]
    rows = {cost: charts.cost_rows(priced[cost], members[cost], cost) for cost in fronts}
    doubts = {cost: [doubt(member) for member in front] for cost, front in fronts.items()}
    content = {
        "fronts": fronts,
        "doubts": doubts,
        "said": said,
        "rows": {"rows": rows},
        "name": slug(f"cost{suffix}"),
    }
    yield Section(slug(f"cost{suffix}"), f"Accuracy against cost{where}", "cost", content, plots)


def in_words(front: list[OnFront], cost: str) -> str:
    metric = METRICS[cost]
    members = (
        f"{m.configuration.label}, {spread(m.configuration.metrics['test_accuracy'], 'test_accuracy')} at "
        f"{spread(m.configuration.metrics[cost], cost)}{doubt(m)}"
        for m in front
    )
    return f"By {metric.title.lower()}, nothing else is both cheaper and better: " + "; ".join(members)


def doubt(member: OnFront) -> str:
    """Say in what a member of a front cannot be told from the one before."""
    said = [
        *([] if member.better else ["not told apart in accuracy from the one before"]),
        *([] if member.dearer else ["their times overlap"]),
    ]
    return f" ({'; '.join(said)})" if said else ""
