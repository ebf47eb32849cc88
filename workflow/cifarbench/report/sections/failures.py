"""Where models fail: classes, confusions, confidence, and the images themselves."""

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.predictions import calibration, confusion
from cifarbench.analysis.results import Results
from cifarbench.report import charts, figures
from cifarbench.report.drawing import plot
from cifarbench.report.section import Section
from cifarbench.report.styles import legend
from cifarbench.report.words import number, percent, slug
from cifarbench.words import listed

PLACE = 70
CLASSES = 20  # that tables show at most
CONFUSIONS = 5  # of each model that are told


def sections(results: Results) -> Iterator[Section]:
    """Where the best of each model fails: classes, confusions, confidence, and the images themselves."""
    for dataset, configurations in results.representatives.items():
        shown = _named(configurations)
        classes = list(shown[0].first("data.classes"))
        confusions = {c.label: confusion(c) for c in shown}
        having = [c for c in shown if len(calibration(c)[0])]
        name = f"calibration-{dataset}"
        plots = [plot(figures.reliability, name, having, _overconfidence(having))] if having else []
        content = {
            "labels": {c.label: old.label for c, old in zip(shown, configurations, strict=True)},
            **_by_class(shown, classes),
            "confusions": {label: _most_confused(matrix, classes) for label, matrix in confusions.items()},
            "matrices": {label: _shares(m).tolist() for label, m in confusions.items()}
            if len(classes) <= CLASSES
            else {},
            "names": classes,
            "calibration": _overconfidence(having) if having else None,
            "chart": slug(name),
            "reliability": charts.reliability_rows(having),
            "legend": legend(having),
            **_pictures(results, dataset, shown, classes),
        }
        yield Section(
            slug(f"failures-{dataset}"), f"Where models fail ({dataset})", "failures", content, plots
        )


def _named(configurations: list[Configuration]) -> list[Configuration]:
    """Call each configuration by its model, if all models differ."""
    models = [c.first("config.model") for c in configurations]
    if len(set(models)) < len(models):
        return configurations
    return [c._replace(label=model) for c, model in zip(configurations, models, strict=True)]


def _by_class(configurations: list[Configuration], names: list[str]) -> dict[str, Any]:
    """Return the accuracy of each class, averaged over seeds; with many classes, of the hardest."""
    rows = [
        (c.label, np.stack(c.runs["final.test.per_class_accuracy"].tolist()).astype(float).mean(0))
        for c in configurations
    ]
    hardest = np.argsort(np.mean([values for _, values in rows], axis=0), kind="stable")
    chosen = sorted(hardest[:CLASSES].tolist())
    return {
        "classes": [names[k] for k in chosen],
        "rows": [(label, [float(values[k]) for k in chosen]) for label, values in rows],
        "left_out": len(names) - len(chosen),
    }


def _shares(matrix: np.ndarray) -> np.ndarray:
    """Return each row as shares of its sum."""
    return matrix / np.maximum(matrix.sum(1, keepdims=True), 1)


def _most_confused(matrix: np.ndarray, names: list[str]) -> list[str]:
    """Say which class is most often taken for which other."""
    shares = _shares(matrix)
    np.fill_diagonal(shares, 0)
    order = np.argsort(-shares, axis=None, kind="stable")[:CONFUSIONS]
    pairs = (np.unravel_index(place, shares.shape) for place in order)
    return [
        f"{names[a]} → “{names[b]}” {percent(float(shares[a, b]), 0)} of images of {names[a]}"
        for a, b in pairs
        if shares[a, b] > 0
    ]


def _overconfidence(configurations: list[Configuration]) -> str:
    """Say how confidence and accuracy differ, for readers who do not see it."""
    errors = (f"{c.label} {number(c.runs['final.test.calibration_error'].mean(), 3)}" for c in configurations)
    return "How often each degree of confidence was right; calibration error: " + "; ".join(errors)


def _pictures(
    results: Results, dataset: str, shown: list[Configuration], classes: list[str]
) -> dict[str, Any]:
    """Return the images that `cifarbench pictures` picked, and the configurations whose answers are told."""
    nothing: dict[str, Any] = {"pictures": [], "voters": []}
    if results.pictures is None:
        return nothing
    rows = results.pictures[results.pictures["dataset"] == dataset]
    labels = {c.key: c.label for c in shown}
    if rows.empty or not set(rows["configurations"].iloc[0]) <= labels.keys():  # picked for another table
        return nothing
    voters = [labels[key] for key in rows["configurations"].iloc[0]]
    return {"pictures": [_picture(row, classes, voters) for _, row in rows.iterrows()], "voters": voters}


def _picture(row: pd.Series, names: list[str], voters: list[str]) -> dict[str, Any]:
    said: dict[int, list[str]] = {}
    for answer, voter in zip(row["answers"], voters, strict=True):
        said.setdefault(int(answer), []).append(voter)
    return {
        "source": "data:image/png;base64," + base64.b64encode(row["png"]).decode(),
        "image": row["image"],
        "true": row["label"],
        "label": names[row["label"]],
        "wrong": row["wrong"],
        "answers": " ".join(str(answer) for answer in row["answers"]),
        "said": [(names[answer], answer == row["label"], listed(who)) for answer, who in said.items()],
    }
