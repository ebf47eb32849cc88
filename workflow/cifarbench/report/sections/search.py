"""What a search found: each knob against the accuracy, what each explains, and the best of k draws."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from cifarbench.analysis import search
from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.results import Measured, Results
from cifarbench.report import search_figures
from cifarbench.report.charts import rounded
from cifarbench.report.drawing import plot
from cifarbench.report.section import Section, study_anchor
from cifarbench.report.styles import COLOURS
from cifarbench.report.words import number, percent, slug

PLACE = 61
SHARES = 0.1  # that the forest must explain of what it has not seen, lest it only follows the noise


def sections(results: Results) -> Iterator[Section]:
    for measured in results.studies:
        if measured.study.is_crossed:  # seeds are numbers, but no scale
            continue
        numbers = [k for k in measured.study.varied if search.is_number(measured.configurations, k)]
        several = len(numbers) > 1 and len(measured.configurations) >= search.FEWEST
        if several or (measured.study.drawn and len(measured.configurations) > 1):
            yield section(measured, numbers)


def section(measured: Measured, numbers: list[str]) -> Section:
    members, part = measured.configurations, search.held_out(measured.configurations)
    groups = search.groups(measured, numbers)
    drawn = measured.study.drawn
    budget = [
        search.best_of(label, search.accuracies(own, part)) for label, own in groups.items() if len(own) > 1
    ]
    content: dict[str, Any] = {
        "name": slug(f"search-{measured.name}"),
        "study": (study_anchor(measured.name), measured.title),
        "part": part,
        "colours": [(label, colour(n), "") for n, label in enumerate(groups) if len(groups) > 1],
        "rows": {"rows": {**knob_rows(groups, numbers, part), "budget": budget_rows(budget)}},
        "knobs": [(knob, knob.replace("_", " "), scale(members, knob)) for knob in numbers],
        "importance": importance(measured, part),
        "budget": budget_in_words(budget) if drawn else [],
    }
    plots = [plot(search_figures.knobs, f"{measured.name}-knobs", groups, numbers, part, measured.title)]
    if content["budget"]:
        said = " ".join(content["budget"])
        plots.append(plot(search_figures.budget, f"{measured.name}-budget", members, budget, said))
    return Section(content["name"], f"Search: {measured.title}", "search", content, plots, "Searches")


def colour(place: int) -> str:
    return f"var(--curve-{place % len(COLOURS)})"


def scale(configurations: list[Configuration], knob: str) -> str:
    values = np.array([c.first(f"config.{knob}") for c in configurations], float)
    return "log" if search.is_logarithmic(values) else "linear"


def knob_rows(
    groups: dict[str, list[Configuration]], knobs: list[str], part: str
) -> dict[str, list[dict[str, Any]]]:
    """Return a row per configuration for each knob."""
    accuracies = {label: search.accuracies(own, part) for label, own in groups.items()}
    return {
        knob: [
            {
                "label": label,
                "colour": colour(place),
                "value": float(c.first(f"config.{knob}")),
                "accuracy": rounded(100 * accuracy),
                "says": f"{c.label}: {percent(accuracy)}",
            }
            for place, (label, own) in enumerate(groups.items())
            for c, accuracy in zip(own, accuracies[label], strict=True)
        ]
        for knob in knobs
    }


def budget_rows(budget: list[search.BestOf]) -> list[dict[str, Any]]:
    return [
        {
            "label": best.label,
            "colour": colour(place),
            "draws": draws,
            "mean": rounded(100 * mean),
            "low": rounded(100 * max(0, mean - deviation)),
            "high": rounded(100 * min(1, mean + deviation)),
            "says": f"best of {draws}: {percent(mean)}, give or take {100 * deviation:.1f} points",
        }
        for place, best in enumerate(budget)
        for draws, (mean, deviation) in enumerate(zip(best.mean, best.deviation, strict=True), 1)
    ]


def budget_in_words(budget: list[search.BestOf]) -> list[str]:
    """Say what a small, a middling and the whole budget find."""
    return [
        f"{best.label or 'The search'}: "
        + "; ".join(
            f"{'one draw' if draws == 1 else f'the best of {draws}'} has "
            f"{100 * best.mean[draws - 1]:.1f} ± {100 * best.deviation[draws - 1]:.1f} %"
            for draws in sorted({1, -(-len(best.mean) // 4), len(best.mean)})
        )
        + "."
        for best in budget
    ]


def importance(measured: Measured, part: str) -> dict[str, Any] | None:
    found = search.importance(measured.configurations, measured.study.varied, part)
    if found is None:
        return None
    ordered = sorted(found.shares.items(), key=lambda share: -share[1])
    return {
        "shares": [(knob.replace("_", " "), round(100 * min(1, share))) for knob, share in ordered],
        "trust": number(100 * max(0, found.trust), 0),
        "trusted": found.trust >= SHARES,
        "configurations": len(measured.configurations),
    }
