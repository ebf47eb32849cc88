"""The report's sections: each a function from the results to sections, and one line in SECTIONS.

A function yields nothing when it has nothing to say, so that no empty frame is left.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from cifarbench.analysis.compare import in_words
from cifarbench.analysis.configuration import COSTS, SHOWN, Configuration, best_first
from cifarbench.analysis.family import Family, Rival
from cifarbench.analysis.predictions import curve, held_out_part, on_same_images, over_runs
from cifarbench.analysis.results import Measured, OnFront, Results, pareto_front
from cifarbench.analysis.stats import chance_difference, excluded_rate
from cifarbench.analysis.verdicts import TESTED
from cifarbench.config.flags import flags
from cifarbench.config.ids import format_value
from cifarbench.plan.grid import Run
from cifarbench.records.metrics import METRICS, TIMES
from cifarbench.report import answer, charts, figures
from cifarbench.report.failures import failures
from cifarbench.report.section import Section, study_anchor
from cifarbench.report.words import number, percent, slug, spread
from cifarbench.sweep.staleness import stale_runs, standings
from cifarbench.words import count, listed

MOST = 24  # configurations that a study's figures show at most; as many as curves look different
EFFECTS = ("test_accuracy", "test_loss", "seconds")  # which a study draws


def problems(results: Results) -> Iterator[Section]:
    """Runs without a record, by why, and diverged ones."""
    rows = results.table.reindex(columns=["run", "status", "last_words", "state"])
    by_state = rows[rows["status"] == "missing"].groupby("state")
    runs = {state: group["run"].tolist() for state, group in by_state}
    words = dict(zip(rows["run"], rows["last_words"], strict=True))
    content = {
        "broken": [(run, words[run]) for run in runs.get("broken", ())],
        "failed": [(run, words[run]) for run in runs.get("failed", ())],
        **{state: runs.get(state) for state in ("running", "interrupted", "waiting")},
        "diverged": rows[rows["status"] == "diverged"]["run"].tolist(),
        "stale": list(stale_runs(results.table, results.verified).items()),
    }
    if any(content.values()):
        yield Section("not-completed", "Runs to look at", "problems", content)


def overview(results: Results) -> Iterator[Section]:
    """All configurations, best first; the page's script sorts and filters them and chooses columns."""
    if results.ranked:
        knobs = _knobs(results)
        names = {name for own in knobs.values() for name, _ in own}
        content = {
            "configurations": results.ranked,
            "metrics": {name: METRICS[name] for name in SHOWN},
            "knobs": {key: dict(own) for key, own in knobs.items()},
            "knob_names": sorted(names - set(SAID_APART)),
            "words": {c.key: _search_words(c, knobs[c.key]) for c in results.ranked},
            "filters": _filters(knobs),
            "commands": {run.id: _command(run) for run in results.plan.runs},
        }
        yield Section("configurations", "All configurations", "overview", content)


SAID_APART = ("study", "dataset", "model")


def _knobs(results: Results) -> dict[str, list[tuple[str, str]]]:
    """Return for each configuration its studies, data set, model and changed knobs, as (name, value)."""
    configs = {run.configuration: run.config for run in results.plan.runs}
    studies: dict[str, list[tuple[str, str]]] = {}
    for study in results.plan.studies:
        for key in study.labels:
            studies.setdefault(key, []).append(("study", study.name))
    return {
        c.key: [
            *studies[c.key],
            ("dataset", configs[c.key].dataset),
            ("model", configs[c.key].model),
            *(
                (name, format_value(value))
                for name, value in configs[c.key].changed().items()
                if name not in ("seed", *SAID_APART)
            ),
        ]
        for c in results.ranked
    }


def _search_words(c: Configuration, knobs: list[tuple[str, str]]) -> str:
    """Return what a filter finds a configuration by: its label and name=value."""
    return " ".join([c.label, *(f"{name}={value}" for name, value in knobs)]).lower()


def _filters(knobs: dict[str, list[tuple[str, str]]]) -> dict[str, list[str]]:
    """Return by name the values that tell configurations apart."""
    values: dict[str, set[str]] = {}
    for name, value in (pair for own in knobs.values() for pair in own):
        values.setdefault(name, set()).add(value)
    return {name: sorted(found) for name, found in values.items() if len(found) > 1 or name not in SAID_APART}


def _command(run: Run) -> str:
    """Return the command that trains exactly this run again."""
    where = ["--data", f"data/{run.config.dataset}", "--output", f"results/runs/{run.id}"]
    return shlex.join(["cifarbench", "train", *flags(run.config), *where])


def studies(results: Results) -> Iterator[Section]:
    """One section per study: its question, what varies, the effect and the learning curves."""
    for measured in results.studies:
        name = measured.name
        shown = measured.configurations
        if len(shown) > MOST:
            best = {c.key for c in best_first(shown)[:MOST]}
            shown = [c for c in shown if c.key in best]
        effects = [
            figures.effect(f"{name}-{metric.replace('_', '-')}", shown, metric, _in_order(shown, metric))
            for metric in EFFECTS
            if any(metric in c.metrics for c in shown)  # a loss may have overflowed everywhere
        ]
        part = held_out_part(shown)
        fields = [f"{part}_accuracy", f"{part}_loss", "running_train_accuracy", "running_train_loss"]
        alts = {field: _ends(shown, field) for field in fields}
        curves = figures.learning_curves(f"{name}-curves", shown, fields, "; ".join(alts.values()))
        content = {
            "name": name,
            "question": measured.study.question,
            "varied": [knob.replace("_", " ") for knob in measured.study.varied],
            "left_out": len(measured.configurations) - len(shown),
            "shown": len(shown),
            **_tests(measured),
            "effects": effects,
            "curves": alts,
            "rows": charts.curve_rows(shown, fields),
            "thinned": charts.POINTS if charts.is_thinned(shown) else None,
            "legend": figures.legend(shown),
        }
        yield Section(study_anchor(name), measured.title, "study", content, [*effects, curves])


def _conclusion(measured: Measured) -> list[str]:
    """Say what the study shows: the best, what cannot be told from it, how large the noise is, and which runs
    collapsed."""
    best = measured.best
    sentences = [f"{best.label} is highest, {spread(best.metrics['test_accuracy'], 'test_accuracy')}."]
    sentences += answer.told_apart(measured.family, best, measured.rivals)
    deviation = measured.noise
    if deviation is not None:
        points = 100 * chance_difference(deviation)
        sentences.append(
            f"One seed differs from the next by a standard deviation of "
            f"{100 * deviation:.1f} points, so two single-seed figures need {points:.1f} points between them "
            f"to mean anything."
        )
    return sentences + _collapses(measured)


def _collapses(measured: Measured) -> list[str]:
    """Name the configurations of which runs collapsed, and what those without one exclude."""
    sentences, clean = [], []
    for c in measured.configurations:
        fell = measured.family.collapsed(c)
        if not any(fell):
            clean.append(len(fell))
            continue
        low = [percent(value) for value, down in zip(c.accuracies, fell, strict=True) if down]
        sentences.append(
            f"{sum(fell)} of {count(len(fell), 'run')} of {c.label} collapsed ({listed(low)}): the median is "
            f"{percent(float(np.median(c.accuracies)))}, the mean {percent(float(np.mean(c.accuracies)))}."
        )
    if sentences and clean:
        rate = percent(excluded_rate(min(clean)), 0)
        sentences.append(f"Where none of {min(clean)} collapsed, only a rate above {rate} is excluded.")
    return sentences


def _tests(measured: Measured) -> dict[str, Any]:
    """Return the conclusion, each configuration beside the best one, and the two best on the same images."""
    best, rivals = measured.best, measured.rivals
    if not rivals:
        return {"conclusion": [], "tests": None}
    tests = {
        "best": best,
        "rivals": [(rival, _needed(best, rival)) for rival in rivals[:MOST]],
        "number": measured.family.number,
        "images": on_same_images(best, rivals[0].configuration),
    }
    return {"conclusion": _conclusion(measured), "tests": tests}


def _needed(best: Configuration, rival: Rival) -> str:
    """Say how many seeds of each would tell an undecided pair apart, if it differs as it looks."""
    if rival.differs:
        return ""
    needed = rival.seeds_needed(best)
    return "more than 1,000" if needed is None else number(needed)


def _ends(configurations: list[Configuration], field: str) -> str:
    """Say where curves end, for readers who do not see them."""
    name, accuracy = field.replace("_", " "), "accuracy" in field
    ends = [(float(over_runs(curve(c, field))[0, -1]), c.label) for c in configurations]
    told = [
        f"{label} {percent(end) if accuracy else number(end, 3)}"
        for end, label in sorted(ends, reverse=accuracy)
        if not np.isnan(end)
    ]
    return f"{name.capitalize()} after the last epoch, best first: " + "; ".join(told)


def cost(results: Results) -> Iterator[Section]:
    """Accuracy against training time, parameters and FLOPs, where they differ; for each data set."""
    for name, family in results.families.items():
        kinds = [kind for kind in COSTS if results.same_hardware or kind not in TIMES]
        fronts = {kind: pareto_front(family, kind) for kind in kinds if _differ(family, kind)}
        if not fronts:
            continue
        suffix = "" if len(results.families) == 1 else f"-{slug(name)}"
        said = {kind: _front_in_words(front, kind) for kind, front in fronts.items()}
        drawings = [
            figures.cost(f"cost-{kind}{suffix}", family.configurations, front, kind, said[kind])
            for kind, front in fronts.items()
        ]
        rows = {"rows": charts.cost_rows(family.configurations, fronts)}
        title = "Accuracy against cost" + (f" ({name})" if suffix else "")
        content = {"fronts": fronts, "said": said, "rows": rows, "suffix": suffix}
        yield Section(f"cost{suffix}", title, "cost", content, drawings)


def _differ(family: Family, kind: str) -> bool:
    return len({c.metrics[kind].centre for c in family.configurations if kind in c.metrics}) > 1


def _front_in_words(front: list[OnFront], kind: str) -> str:
    members = (
        f"{c.label}, {spread(c.metrics['test_accuracy'], 'test_accuracy')} at {spread(c.metrics[kind], kind)}"
        for c, _ in front
    )
    return f"By {METRICS[kind].title.lower()}, nothing else is both cheaper and better: " + "; ".join(members)


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
                "published": [METRICS[metric].write(value) for value in statement.published],
                "measured": [METRICS[metric].write(value) for value in judged.measured],
            }
        )
    tested = [row for row in rows if row["outcome"] in TESTED]
    waiting = [row for row in rows if row["outcome"] not in TESTED]
    yield Section("claims", "Published claims", "claims", {"tested": tested, "waiting": waiting})


def evaluated(results: Results) -> Iterator[Section]:
    """Weights of others on these test images; nothing is known of their training."""
    if results.evaluated:
        rows = sorted(results.evaluated, key=lambda other: -other.test.top1)
        yield Section("evaluated", "Evaluated, not trained here", "evaluated", {"rows": rows})


def baseline(results: Results) -> Iterator[Section]:
    """These results beside those of another table."""
    if results.comparison:
        rows = [(compared, in_words(compared)) for compared in results.comparison.compared]
        content = {"rows": rows, "comparison": results.comparison}
        yield Section("baseline", "Beside the baseline", "baseline", content)


def _in_order(configurations: list[Configuration], metric: str) -> str:
    """Say what a comparison shows, for readers who do not see it."""
    kind = METRICS[metric]
    order = sorted(
        (c for c in configurations if metric in c.metrics),
        key=lambda c: c.metrics[metric].centre * (-1 if kind.better == "higher" else 1),
    )
    return f"{kind.title}, best first: " + "; ".join(
        f"{c.label} {spread(c.metrics[metric], metric)}" for c in order
    )


def speed(results: Results) -> Iterator[Section]:
    """How many times faster than a naive loop each model trains on this machine, if that was measured."""
    if results.speed:
        rows = [row for row in results.speed["rows"] if row["way"] != "naive"]
        best: dict[str, float] = {}
        for row in rows:
            case = f"{row['model']}, batch {row['batch_size']}"
            best[case] = max(best.get(case, 0), row["ratio"])
        finding = "; ".join(f"{case} {ratio:.1f} times" for case, ratio in best.items())
        drawing = figures.speed("speed", rows, f"The fastest way beside a naive loop: {finding}")
        content = {
            "drawing": drawing,
            "legend": figures.ways(rows),
            "device": "one GPU"
            if results.speed["device"] == "cuda"
            else f"{results.speed['threads']} threads",
            "rounds": results.speed["rounds"],
        }
        yield Section("speed", "Speed of training on this machine", "speed", content, [drawing])


def beside_newest(results: Results) -> list[tuple[str, int]]:
    """Say where runs stand beside the newest, and how many, most first."""
    found = standings(results.table, results.verified).values()
    return Counter(": ".join(filter(None, where)) for where in found).most_common()


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
        "Beside the newest": [f"{count(n, 'run')} {where}" for where, n in beside_newest(results)],
    }
    warnings = []
    if stale_runs(results.table, results.verified):
        warnings.append(
            "Some runs were made from something else than the newest, and not verified as the same."
        )
    if results.done["code.dirty"].eq(True).any():
        warnings.append("Some runs were made from sources that differ from their commit.")
    if not results.same_hardware:
        warnings.append("The runs come from different hardware; do not compare their times.")
    content = {"facts": {k: v for k, v in facts.items() if v}, "warnings": warnings}
    yield Section("provenance", "Where the figures come from", "provenance", content)


SECTIONS = (problems, overview, cost, claims, studies, failures, evaluated, baseline, speed, provenance)
