"""The head of the page: the answer in sentences, what each study found, and small figures."""

from typing import NamedTuple

import pandas as pd

from cifarbench.analysis.results import Configuration, Measured, Results, beside_best
from cifarbench.analysis.verdicts import TESTED, counts
from cifarbench.report.section import study_anchor
from cifarbench.report.words import count, listed, number, percent, spread

FINDINGS = 5  # studies whose finding is told at once
# Outcomes of one claim and of several, in a sentence.
SAID = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "within seed noise": ("is within seed noise", "are within seed noise"),
    "artefact": ("is an artefact", "are artefacts"),
}


def summary(results: Results) -> list[str]:
    """Say the answer in sentences: what was compared, what is best, what is cheapest within a point of it."""
    if not results.ranked:
        return [f"None of the {count(len(results.plan.runs), 'planned run')} has completed yet."]
    sentences = [_compared(results)]
    for name, contenders in results.contenders.items():
        sentences.append(_best(name, contenders[0], several=len(results.contenders) > 1))
        sentences += _undecided(contenders)
        sentences += _cheapest(contenders) if results.same_hardware else []
    if not results.same_hardware:
        sentences.append("The runs come from different hardware, so their times are not compared.")
    if sum(map(len, results.contenders.values())) < len(results.ranked):
        sentences.append(
            "Left out of this are those whose epoch was chosen on the test images, which flatters."
        )
    return sentences + _claims_in_a_sentence(results)


def _claims_in_a_sentence(results: Results) -> list[str]:
    """Count the claims that were tested, by outcome."""
    number = counts(results.verdicts)
    tested = sum(number[outcome] for outcome in TESTED)
    if tested == 0:
        return []
    outcomes = listed([f"{n} {SAID[o][n > 1]}" for o in TESTED if (n := number[o])])
    return [f"Of {len(results.verdicts)} published claims, {tested} could be tested: {outcomes}."]


def _compared(results: Results) -> str:
    completed = results.table[results.table["status"] == "completed"]
    runs = f"{count(len(completed), 'run')} of {count(len(results.ranked), 'configuration')}"
    data = [
        f"{name} ({_sizes(rows, 'train')} training, {_sizes(rows, 'validation')} validation and "
        f"{_sizes(rows, 'test')} test images)"
        for name, rows in completed.groupby("data.name")
    ]
    return f"{runs} were trained and tested on {listed(data)}."


def _sizes(rows: pd.DataFrame, part: str) -> str:
    """Write how many images runs had, each number once."""
    return " or ".join(f"{size:,.0f}" for size in sorted(rows[f"data.{part}_images"].unique()))


def _best(dataset: str, best: Configuration, several: bool) -> str:
    accuracy = best.metrics["test_accuracy"]
    around = (
        f"mean and 95 % interval of {len(accuracy.values)} seeds"
        if accuracy.half is not None
        else "a single seed, so its spread is unknown"
    )
    seconds = spread(best.metrics["seconds"], "seconds")
    where = f"on {dataset} " if several else ""
    return (
        f"The highest test accuracy {where}is that of {best.label}: "
        f"{spread(accuracy, 'test_accuracy')} ({around}), "
        f"after {seconds} of training."
    )


def _undecided(contenders: list[Configuration]) -> list[str]:
    """Name what cannot be told from the best."""
    if len(contenders) == 1:
        return []
    rivals = beside_best(contenders)[1]
    if all(rival.p is None for rival in rivals):
        return ["With fewer than two shared seeds, nothing can be told apart from it."]
    close = [rival.configuration.label for rival in rivals if not rival.differs]
    if not close:
        return ["Each of the others is lower beyond seed noise."]
    if len(close) == len(rivals) > 3:
        seeds = len(contenders[0].metrics["test_accuracy"].values)
        return [f"With {count(seeds, 'seed')}, none of {len(close)} others can be told apart from it."]
    more = [count(len(close) - 3, "more", "more")] if len(close) > 3 else []
    return [f"Not distinguishable from it: {listed(close[:3] + more)}."]


def _cheapest(ranked: list[Configuration]) -> list[str]:
    """Name the configuration of least training time within a point of the best accuracy."""
    best = ranked[0]
    near = [c for c in ranked if c.metrics["test_accuracy"].mean >= best.metrics["test_accuracy"].mean - 0.01]
    cheapest = min(near, key=lambda c: c.metrics["seconds"].mean)
    if cheapest is best:
        return ["None within one point of it trains faster."]
    faster = best.metrics["seconds"].mean / cheapest.metrics["seconds"].mean
    return [
        f"Within one point of it, {cheapest.label} trains fastest: "
        f"{spread(cheapest.metrics['test_accuracy'], 'test_accuracy')} in "
        f"{spread(cheapest.metrics['seconds'], 'seconds')}, {faster:.1f} times faster."
    ]


class Finding(NamedTuple):
    """What a study shows, in a sentence; `points` is the largest difference that is beyond seed noise."""

    anchor: str
    title: str
    points: float
    sentence: str


def findings(results: Results) -> list[Finding]:
    """Return the strongest finding of each study that compares something, largest first."""
    found = [_finding(measured) for measured in results.studies if measured.rivals]
    return sorted(found, key=lambda finding: -finding.points)


def _finding(measured: Measured) -> Finding:
    apart = [
        (100 * rival.difference.mean, rival)
        for rival in measured.rivals
        if rival.differs and rival.difference is not None
    ]
    study = measured.study
    if not apart:
        compared = count(len(measured.configurations), "configuration")
        tested = any(rival.p is not None for rival in measured.rivals)
        none = "no difference" if tested else "too few seeds to tell a difference"
        sentence = f"{none} between {compared}" + (" is beyond seed noise" if tested else "")
        return Finding(study_anchor(study.name), study.title, 0.0, sentence)
    points, rival = max(apart, key=lambda pair: pair[0])
    sentence = f"{measured.best.label} beats {rival.configuration.label} by {points:.1f} points"
    return Finding(study_anchor(study.name), study.title, points, sentence)


def headline(results: Results) -> list[tuple[str, str]]:
    """Return small facts for the head of the page: (number, what it counts)."""
    seconds = results.done["seconds.total"].sum() if "seconds.total" in results.done else 0.0
    seeds = len(results.distinct("config.seed"))
    facts = [
        (f"{len(results.done):,}", f"of {count(len(results.plan.runs), 'run')}"),
        (f"{seeds:,}", "seed" if seeds == 1 else "seeds"),
        (f"{seconds / 3600:.2f}", "hours in all"),
    ]
    if "images_per_second" in results.done:
        facts.append((number(results.done["images_per_second"].median()), "images/s, median"))
    for name, contenders in reversed(results.contenders.items()):
        what = f"best test accuracy on {name}" if len(results.contenders) > 1 else "best test accuracy"
        facts.insert(0, (percent(contenders[0].metrics["test_accuracy"].mean), what))
    return facts
