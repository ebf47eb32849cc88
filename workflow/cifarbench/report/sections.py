"""The report's sections: each a function from the results to sections, and one line in SECTIONS.

A function yields nothing when it has nothing to say, so that no empty frame is left.
"""

import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..compare import verdict
from ..plan import PlannedStudy, Run, flags, format_value
from ..stats import distinguishable
from ..verdicts import TESTED, counts, figure
from . import figures
from .results import (
    METRICS,
    Configuration,
    Results,
    Rival,
    beside_best,
    held_out_part,
    noise,
    on_same_images,
    pareto_front,
)
from .words import count, listed, percent, spread

# Outcomes of one claim and of several, in a sentence.
SAID = {
    "holds": ("holds", "hold"),
    "does not hold": ("does not hold", "do not hold"),
    "within seed noise": ("is within seed noise", "are within seed noise"),
    "artefact": ("is an artefact", "are artefacts"),
}

WORST_CLASSES = 20  # columns that the table of classes shows at most


class Section(NamedTuple):
    """A heading with an anchor, the block of page.html.j2 that lays it out, and what that block shows."""

    anchor: str
    title: str
    block: str
    content: dict[str, Any]


def summary(results: Results) -> list[str]:
    """Say the answer in sentences: what was compared, what is best, what is cheapest within a point of it."""
    if not results.ranked:
        return [f"None of the {count(len(results.plan.runs), 'planned run')} has completed yet."]
    sentences = [_compared(results)]
    for name, contenders in results.contenders.items():
        sentences.append(_best(name, contenders[0], several=len(results.contenders) > 1))
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
    sets = completed.drop_duplicates("data.name")
    data = [
        f"{row['data.name']} ({row['data.train_images']:,.0f} training, "
        f"{row['data.validation_images']:,.0f} validation and {row['data.test_images']:,.0f} test images)"
        for _, row in sets.iterrows()
    ]
    return f"{runs} were trained and tested on {listed(data)}."


def _best(dataset: str, best: Configuration, several: bool) -> str:
    accuracy = best.metrics["accuracy"]
    around = (
        f"mean and 95 % interval of {len(accuracy.values)} seeds"
        if accuracy.half is not None
        else "a single seed, so its spread is unknown"
    )
    seconds = spread(best.metrics["seconds"], "seconds")
    where = f"on {dataset} " if several else ""
    return (
        f"The highest test accuracy {where}is that of {best.label}: "
        f"{spread(accuracy, 'accuracy')} ({around}), "
        f"after {seconds} of training."
    )


def _cheapest(ranked: list[Configuration]) -> list[str]:
    """Name the configuration of least training time within a point of the best accuracy."""
    best = ranked[0]
    near = [c for c in ranked if c.metrics["accuracy"].mean >= best.metrics["accuracy"].mean - 0.01]
    cheapest = min(near, key=lambda c: c.metrics["seconds"].mean)
    if cheapest is best:
        return ["None within one point of it trains faster."]
    faster = best.metrics["seconds"].mean / cheapest.metrics["seconds"].mean
    return [
        f"Within one point of it, {cheapest.label} trains fastest: "
        f"{spread(cheapest.metrics['accuracy'], 'accuracy')} in "
        f"{spread(cheapest.metrics['seconds'], 'seconds')}, {faster:.1f} times faster."
    ]


def problems(results: Results) -> Iterator[Section]:
    """Runs without a record, by why, and diverged ones."""
    rows = results.table.reindex(columns=["run", "status", "last_words", "interrupted"])
    missing = rows[rows["status"] == "missing"]
    begun, stopped = missing["last_words"].notna(), missing["interrupted"].eq(True)
    content = {
        "failed": missing[begun & ~stopped][["run", "last_words"]].values.tolist(),
        "interrupted": missing[stopped]["run"].tolist(),
        "waiting": missing[~begun & ~stopped]["run"].tolist(),
        "diverged": rows[rows["status"] == "diverged"]["run"].tolist(),
    }
    if any(content.values()):
        yield Section("not-completed", "Runs that did not complete", "problems", content)


def overview(results: Results) -> Iterator[Section]:
    """All configurations, best first; the page's script sorts and filters them by these words."""
    if results.ranked:
        content = {
            "configurations": results.ranked,
            "metrics": METRICS,
            "words": _search_words(results),
            "commands": {run.id: _command(run) for run in results.plan.runs},
        }
        yield Section("configurations", "All configurations", "overview", content)


def _search_words(results: Results) -> dict[str, str]:
    """Return what a filter finds each configuration by: its label, study=name and knob=value."""
    configs = {run.configuration: run.config for run in results.plan.runs}
    words = {}
    for c in results.ranked:
        changed = configs[c.key].changed()
        knobs = [f"{name}={format_value(value)}" for name, value in changed.items() if name != "seed"]
        studies = [f"study={study.name}" for study in results.plan.studies if c.key in study.labels]
        words[c.key] = " ".join([c.label, configs[c.key].model, *studies, *knobs]).lower()
    return words


def _command(run: Run) -> str:
    """Return the command that trains exactly this run again."""
    where = ["--data", f"data/{run.config.dataset}", "--output", f"results/runs/{run.id}"]
    return shlex.join(["cifarbench", "train", *flags(run.config), *where])


def studies(results: Results) -> Iterator[Section]:
    """One section per study: its question, what varies, the comparison and the learning curves."""
    for study in results.plan.studies:
        configurations = [c for c in results.of_study(study) if "accuracy" in c.metrics]
        if configurations:
            yield Section(f"study-{study.name}", study.title, "study", _study(study, configurations))


def _study(study: PlannedStudy, configurations: list[Configuration]) -> dict[str, Any]:
    comparisons = [
        figures.compare(f"{study.name}-{metric}", configurations, metric, _finding(configurations, metric))
        for metric in METRICS
    ]
    part = held_out_part(configurations)
    curves = [
        figures.learning_curves(
            f"{study.name}-{field}", configurations, field, f"{field.replace('_', ' ')} over the epochs"
        )
        for field in (f"{part}_accuracy", f"{part}_loss", "running_train_accuracy", "running_train_loss")
    ]
    return {
        "question": study.question,
        **_tests(configurations),
        "varied": [name.replace("_", " ") for name in study.varied],
        "comparisons": comparisons,
        "curves": curves,
        "legend": figures.legend(configurations),
    }


def _verdict(configurations: list[Configuration], best: Configuration, rivals: list[Rival]) -> list[str]:
    """Say what the study shows: the best, what cannot be told from it, and how large the noise is."""
    close = [rival.configuration.label for rival in rivals if not rival.distinguishable]
    if len(close) == len(rivals):
        sentences = [f"{best.label} is highest, but none of the others can be told apart from it."]
    elif close:
        sentences = [f"{best.label} is highest; not distinguishable from it: {'; '.join(close)}."]
    else:
        sentences = [f"{best.label} is highest, and each of the others is lower beyond seed noise."]
    deviation = noise(configurations, "accuracy")
    if deviation is not None:
        points = 100 * distinguishable(deviation)
        sentences.append(
            f"One seed differs from the next by a standard deviation of {100 * deviation:.1f} points, so two "
            f"single-seed figures need {points:.1f} points between them to mean anything."
        )
    if min(len(c.completed) for c in configurations) < 3:
        sentences.append("With fewer than three seeds, intervals are wide and the noise is hardly known.")
    return sentences


def _tests(configurations: list[Configuration]) -> dict[str, Any]:
    """Return the verdict, each configuration beside the best one, and the two best on the same images."""
    if len(configurations) < 2:
        return {"verdict": [], "tests": None}
    best, rivals = beside_best(configurations)
    tests = {"best": best, "rivals": rivals, "images": on_same_images(best, rivals[0].configuration)}
    return {"verdict": _verdict(configurations, best, rivals), "tests": tests}


def cost(results: Results) -> Iterator[Section]:
    """Accuracy against training time: which configurations nothing else beats in both."""
    timed = [c for c in results.ranked if "seconds" in c.metrics]
    if len(timed) < 2 or not results.same_hardware or len(results.distinct("data.name")) > 1:
        return
    front = pareto_front(timed)
    finding = "Nothing else is both faster and better: " + "; ".join(
        f"{c.label}, {spread(c.metrics['accuracy'], 'accuracy')} in {spread(c.metrics['seconds'], 'seconds')}"
        for c in front
    )
    content = {"svg": figures.cost("cost", timed, front, finding), "front": front}
    yield Section("cost", "Accuracy against cost", "cost", content)


def claims(results: Results) -> Iterator[Section]:
    """Each published claim: what was published, what was measured, the verdict and its reason."""
    if not results.verdicts:
        return
    rows = []
    for judged in results.verdicts:
        statement = judged.claim.statement
        metric = statement.quantities[0].metric
        rows.append(
            {
                **judged._asdict(),
                "published": [figure(value, metric) for value in statement.published],
                "measured": [figure(value, metric) for value in judged.measured],
            }
        )
    tested = [row for row in rows if row["outcome"] in TESTED]
    waiting = [row for row in rows if row["outcome"] not in TESTED]
    yield Section("claims", "Published claims", "claims", {"tested": tested, "waiting": waiting})


def baseline(results: Results) -> Iterator[Section]:
    """These results beside those of another table."""
    if results.comparison:
        pairs = [(pair, verdict(pair)) for pair in results.comparison.pairs]
        content = {"pairs": pairs, "comparison": results.comparison}
        yield Section("baseline", "Beside the baseline", "baseline", content)


def _finding(configurations: list[Configuration], metric: str) -> str:
    """Say what a comparison shows, for readers who do not see it."""
    kind = METRICS[metric]
    order = sorted(
        (c for c in configurations if metric in c.metrics),
        key=lambda c: c.metrics[metric].mean * (-1 if kind.higher_is_better else 1),
    )
    return f"{kind.title}, best first: " + "; ".join(
        f"{c.label} {spread(c.metrics[metric], metric)}" for c in order
    )


def classes(results: Results) -> Iterator[Section]:
    """Accuracy of each class, averaged over seeds; with many classes, the hardest."""
    for name in results.distinct("data.name"):
        rows = []
        for configuration in results.ranked:
            done = configuration.completed
            if done["data.name"].iloc[0] == name:
                per_class = np.stack(done["final.test.per_class_accuracy"].tolist()).mean(0)
                rows.append((configuration.label, per_class))
                names = list(done["data.classes"].iloc[0])
        if not rows:
            continue
        hardest = np.argsort(np.mean([values for _, values in rows], axis=0), kind="stable")
        chosen = sorted(hardest[:WORST_CLASSES].tolist())
        content = {
            "dataset": name,
            "classes": [names[k] for k in chosen],
            "rows": [(label, [float(values[k]) for k in chosen]) for label, values in rows],
            "left_out": len(names) - len(chosen),
        }
        yield Section(f"classes-{name}", f"Accuracy by class ({name})", "classes", content)


def speed(results: Results) -> Iterator[Section]:
    """How many times faster than a naive loop each model trains on this machine, if that was measured."""
    if results.speed:
        rows = [row for row in results.speed["rows"] if row["way"] != "naive"]
        best: dict[str, float] = {}
        for row in rows:
            case = f"{row['model']}, batch {row['batch_size']}"
            best[case] = max(best.get(case, 0), row["ratio"])
        finding = "; ".join(f"{case} {ratio:.1f} times" for case, ratio in best.items())
        content = {
            "svg": figures.speed("speed", rows, f"The fastest way beside a naive loop: {finding}"),
            "legend": figures.ways(rows),
            "threads": results.speed["threads"],
            "rounds": results.speed["rounds"],
        }
        yield Section("speed", "Speed of training on this machine", "speed", content)


def provenance(results: Results) -> Iterator[Section]:
    """What the figures rest on: data, hardware, versions, commit, whether all sources are the same."""
    if results.done.empty:
        return
    facts = {
        "Data (sha256 of the images)": [
            f"{row['data.name']}: {row['data.images_sha256']}"
            for _, row in results.done.drop_duplicates("data.images_sha256").iterrows()
        ],
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
        "Sources that decide training": [s[:12] for s in results.distinct("code.source_sha256")],
    }
    warnings = []
    if len(results.distinct("code.source_sha256")) > 1:
        warnings.append("The runs were made from different versions of the sources that decide training.")
    if results.done["code.dirty"].eq(True).any():
        warnings.append("Some runs were made from sources that differ from their commit.")
    if not results.same_hardware:
        warnings.append("The runs come from different hardware; do not compare their times.")
    content = {"facts": {k: v for k, v in facts.items() if v}, "warnings": warnings}
    yield Section("provenance", "Where the figures come from", "provenance", content)


SECTIONS = (problems, overview, cost, claims, studies, classes, baseline, speed, provenance)


def headline(results: Results) -> list[tuple[str, str]]:
    """Return small facts for the head of the page: (number, what it counts)."""
    seconds = results.done["seconds.total"].sum() if "seconds.total" in results.done else 0.0
    seeds = len(results.distinct("config.seed"))
    facts = [
        (f"{len(results.done):,}", f"of {count(len(results.plan.runs), 'run')}"),
        (f"{seeds:,}", "seed" if seeds == 1 else "seeds"),
        (f"{seconds / 3600:.2f}", "hours in all"),
    ]
    for name, contenders in reversed(results.contenders.items()):
        what = f"best test accuracy on {name}" if len(results.contenders) > 1 else "best test accuracy"
        facts.insert(0, (percent(contenders[0].metrics["accuracy"].mean), what))
    return facts
