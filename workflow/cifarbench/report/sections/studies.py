"""One section for each study: its question, what it shows, the effect and the learning curves."""

from collections.abc import Iterator
from typing import Any

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.contrasts import Contrast, contrasts
from cifarbench.analysis.looks import kept
from cifarbench.analysis.power import MOST as MOST_SEEDS
from cifarbench.analysis.predictions import held_out_part, on_same_images
from cifarbench.analysis.results import Measured, Results
from cifarbench.analysis.stats import chance_difference
from cifarbench.plan.plan import PlannedStudy
from cifarbench.records.metrics import METRICS
from cifarbench.report import charts, figures
from cifarbench.report.contrasts import collapses, conclusion, ranked
from cifarbench.report.drawing import Plot, plot
from cifarbench.report.section import Section, study_anchor
from cifarbench.report.strips import Strips, entry, strips
from cifarbench.report.styles import legend
from cifarbench.report.words import number, slug, spread
from cifarbench.words import count, listed

PLACE = 60
MOST = 24  # configurations that a study's figures show at most; as many as curves look different
EFFECTS = ("test_accuracy", "test_loss", "seconds")  # which a study draws


def sections(results: Results) -> Iterator[Section]:
    projects = projects_of(results)
    found = [section(results, measured, projects) for measured in results.studies]
    order = list(dict.fromkeys(section.group for section in found))
    yield from sorted(found, key=lambda section: order.index(section.group))


def projects_of(results: Results) -> dict[str, str]:
    """Return for each study the project that makes most claims about it, or about the one it is named by."""
    made: dict[str, list[str]] = {}
    for claim in results.plan.claims:
        for study in {quantity.study for quantity in claim.statement.quantities}:
            made.setdefault(study, []).append(claim.project)
    own = {study: max(names, key=names.count) for study, names in made.items()}
    further = {
        study.name: own[name]
        for study in results.plan.studies
        for name in sorted(own)
        if study.name.startswith(f"{name}-")
    }
    return further | own


def section(results: Results, measured: Measured, projects: dict[str, str]) -> Section:
    study = measured.study
    content: dict[str, Any] = {"question": study.question, "measured": measured, "lone": None}
    plots: list[Plot] = []
    if len(measured.configurations) == 1:
        content["lone"] = spread(measured.best.metrics["test_accuracy"], "test_accuracy")
        content["collapses"] = collapses(measured)
    else:
        content |= shown(measured) | {"looks": looks(results, study)}
        plots = plots_of(measured, content["fields"])
    group = f"Studies: {projects[study.name]}" if study.name in projects else "Studies"
    return Section(study_anchor(measured.name), measured.title, "studies", content, plots, group)


def shown(measured: Measured) -> dict[str, Any]:
    members = ranked(measured.configurations, MOST)
    part = held_out_part(members)
    fields = [f"{part}_accuracy", f"{part}_loss", "running_train_accuracy", "running_train_loss"]
    best, rivals = measured.best, measured.rivals
    return {
        "name": slug(measured.name),
        "varied": [knob.replace("_", " ") for knob in measured.study.varied],
        "conclusion": [*conclusion(measured), *collapses(measured)],
        "noise": noise(measured),
        "left_out": len(measured.configurations) - len(members),
        "shown": len(members),
        "contrasts": [(contrast, needed(contrast)) for contrast in contrasts(measured)[:MOST]],
        "number": measured.family.number,
        "level": measured.family.level,
        "images": on_same_images(best, rivals[0].configuration),
        "next": rivals[0].configuration.label,
        "effects": [
            effect(members, metric) for metric in EFFECTS if any(metric in c.metrics for c in members)
        ],
        "fields": fields,
        "curves": {field: charts.ends(members, field) for field in fields},
        "rows": charts.curve_rows(members, fields),
        "banded": charts.is_banded(members),
        "jumps": any(charts.jumps(c) for c in members),
        "thinned": charts.POINTS if charts.is_thinned(members) else None,
        "legend": legend(members),
    }


def looks(results: Results, study: PlannedStudy) -> str:
    """Say at how many seeds a study with a schedule was looked at, what that saved, and that it was kept."""
    if not study.schedule:
        return ""
    most = study.schedule[-1] * len(study.labels)
    replayed = (
        "Taken again from the records, the looks find the same"
        if kept(results)
        else "Taken again from the records, the looks do not find the same, so the level is not warranted"
    )
    return (
        f"Only what was undecided got more seeds, up to {study.schedule[-1]}, at looks of "
        f"{listed(list(map(str, study.schedule)))} that share the level: {number(len(study.runs))} of "
        f"{count(most, 'run')}. {replayed}."
    )


def needed(contrast: Contrast) -> str:
    """Say how many seeds of each would tell an undecided pair apart, if it differs as it looks."""
    if contrast.rival.differs or contrast.same_runs:
        return ""
    seeds = contrast.rival.seeds_needed(contrast.first)
    if seeds is None:
        return f"more than {MOST_SEEDS:,}"
    return "enough" if seeds <= contrast.seeds else number(seeds)


def noise(measured: Measured) -> str:
    """Say how far two single runs differ by chance."""
    deviation = measured.noise
    if deviation is None:
        return ""
    most = METRICS["test_accuracy"].number(chance_difference(deviation))
    return f"Two single runs of a typical configuration differ by up to {most} points by chance."


def effect(configurations: list[Configuration], metric: str) -> Strips:
    having = [c for c in configurations if metric in c.metrics]
    said = [spread(c.metrics[metric], metric) for c in having]
    return strips([entry(c, metric) for c in having], METRICS[metric], in_order(having, metric), said)


def in_order(configurations: list[Configuration], metric: str) -> str:
    """Say what a comparison shows, for readers who do not see it."""
    kind = METRICS[metric]
    sign = -1 if kind.better == "higher" else 1
    order = sorted(configurations, key=lambda c: sign * c.metrics[metric].centre)
    told = (f"{c.label} {spread(c.metrics[metric], metric)}" for c in order)
    return f"{kind.title}, best first: " + "; ".join(told)


def plots_of(measured: Measured, fields: list[str]) -> list[Plot]:
    members, name = ranked(measured.configurations, MOST), measured.name
    effects = [
        plot(figures.effect, f"{name}-{metric.replace('_', '-')}", having, metric, in_order(having, metric))
        for metric in EFFECTS
        if (having := [c for c in members if metric in c.metrics])
    ]
    alt = "; ".join(charts.ends(members, field) for field in fields)
    return [*effects, plot(figures.learning_curves, f"{name}-curves", members, fields, alt)]
