"""How many seeds would decide what is undecided, and what they cost: `cifarbench seeds TABLE`."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

import yaml

from cifarbench.analysis.contrasts import Contrast, contrasts
from cifarbench.analysis.power import MOST
from cifarbench.analysis.results import Results
from cifarbench.words import count, duration


class Question(NamedTuple):
    """What is undecided, how many seeds of each configuration would decide it (None: out of reach), and which
    seeds are still to be trained of each."""

    what: str
    seeds: int | None
    missing: dict[str, list[int]]


class Costs:
    """How long a run of each configuration takes, by its records."""

    def __init__(self, results: Results) -> None:
        self._seconds = {
            c.key: float(median(c.runs["seconds.total"]))
            for family in results.families.values()
            for c in family.configurations
        }

    def seconds(self, missing: dict[str, list[int]]) -> float | None:
        """Return how long runs take one after another; None if one of them has no record to go by."""
        if not missing.keys() <= self._seconds.keys():
            return None
        return sum(len(seeds) * self._seconds[key] for key, seeds in missing.items())


def open_questions(results: Results, smallest: float) -> list[Question]:
    """Return each undecided pair of the head and of the studies, and each undecided claim, cheapest first.

    `smallest` is the difference of accuracy that is worth telling: a pair whose seeds would have shown it is
    left out. What is out of reach comes last.
    """
    found = [*_pairs(results, smallest), *_claims(results)]
    runs = [sum(map(len, question.missing.values())) for question in found]
    order = sorted(range(len(found)), key=lambda n: (found[n].seeds is None, runs[n]))
    return [found[n] for n in order]


def _pairs(results: Results, smallest: float) -> Iterator[Question]:
    asked: set[frozenset[str]] = set()
    for where, pair in _all_pairs(results):
        names = frozenset((pair.first.key, pair.second.key))
        if names in asked or pair.rival.differs or pair.same_runs:
            continue
        asked.add(names)
        seeds = pair.rival.seeds_needed(pair.first, smallest)
        if seeds is None or seeds > pair.seeds:
            what = f"{where}: “{pair.first.label}” and “{pair.second.label}”"
            yield Question(what, seeds, _missing(results, names, seeds))


def _all_pairs(results: Results) -> Iterator[tuple[str, Contrast]]:
    for name, contenders in results.contenders.items():
        asked = [c for c in contenders if c.key not in results.single_draws]
        best, rivals = results.families[name].beside_best(asked or contenders[:1])
        yield from ((f"best of {name}", Contrast(best, rival.configuration, rival)) for rival in rivals)
    for measured in results.studies:
        if len(measured.configurations) > 1 and not measured.study.is_crossed:
            yield from ((f"study {measured.name}", pair) for pair in contrasts(measured))


def _claims(results: Results) -> Iterator[Question]:
    for verdict in results.judged.claims:
        if verdict.outcome == "undecided":
            seeds = verdict.ruling.seeds_needed
            keys = frozenset(q.configuration for q in verdict.claim.statement.quantities)
            yield Question(f"claim {verdict.claim.id}", seeds, _missing(results, keys, seeds))


def _missing(results: Results, keys: frozenset[str], seeds: int | None) -> dict[str, list[int]]:
    """Return the seeds, from 0 on, that each configuration still needs to have so many."""
    if seeds is None:
        return {}
    found = {}
    for key in sorted(keys):
        there = set(results.done[results.done["configuration"] == key]["config.seed"].astype(int))
        new = (seed for seed in range(seeds) if seed not in there)
        found[key] = [seed for seed, _ in zip(new, range(seeds - len(there)), strict=False)]
    return {key: new for key, new in found.items() if new}


def together(questions: Sequence[Question]) -> dict[str, list[int]]:
    """Return the seeds that answer all of some questions."""
    wanted: dict[str, list[int]] = {}
    for question in questions:
        for key, seeds in question.missing.items():
            wanted[key] = max(wanted.get(key, []), seeds, key=len)
    return wanted


def text(results: Results, smallest: float, most: int) -> str:
    """Lay the open questions out for a terminal, with a study that trains what those of up to `most` seeds
    need."""
    costs, questions = Costs(results), open_questions(results, smallest)
    if results.done.empty:
        return "no run has a record yet, so nothing is told or open"
    if not questions:
        return "nothing is undecided"
    lines = [_line(question, costs) for question in questions]
    within = [q for q in questions if q.seeds is not None and q.seeds <= most]
    wanted = together(within)
    if not wanted:
        return "\n".join([*lines, f"none of them is decided by {count(most, 'seed')} or fewer; see --most"])
    decided = f"{count(len(within), 'question')} of up to {count(most, 'seed')}"
    runs = count(sum(map(len, wanted.values())), "run")
    told = f"# {decided}: {runs}{_time(costs.seconds(wanted))}; put this under `studies:`"
    return "\n".join([*lines, "", told, study(results, wanted)])


def _line(question: Question, costs: Costs) -> str:
    if question.seeds is None:
        return f"{question.what}: not decided by {MOST:,} seeds of each"
    runs = count(sum(map(len, question.missing.values())), "more run")
    return f"{question.what}: {question.seeds} seeds of each; {runs}{_time(costs.seconds(question.missing))}"


def _time(seconds: float | None) -> str:
    return ", of which none was timed" if seconds is None else f", about {duration(seconds)}"


def study(results: Results, wanted: dict[str, list[int]]) -> str:
    """Return the entry of a config that trains the seeds wanted, whatever the defaults around it are."""
    configs = {run.configuration: run.config for run in results.plan.runs}
    # A default of the config must not come in where a configuration has that of the knob itself.
    said = {name for config in configs.values() for name in config.changed()} - {"seed"}
    entries = [configs[key].model_dump(mode="json", include=said) for key in wanted]
    first = entries[0]
    shared = {name: value for name, value in first.items() if all(e[name] == value for e in entries)}
    own = [{name: value for name, value in entry.items() if name not in shared} for entry in entries]
    runs = [entry | {"seed": seeds} for entry, seeds in zip(own, wanted.values(), strict=True)]
    lines = (
        "- name: more-seeds",
        "  title: More seeds where a question is open",
        f"  defaults: {_flow(shared)}",
        "  runs:",
        *(f"    - {_flow(entry)}" for entry in runs),
    )
    return "\n".join(lines)


def _flow(entry: dict[str, Any]) -> str:
    """Write a mapping of YAML on one line."""
    return yaml.safe_dump(entry, sort_keys=False, default_flow_style=True, width=float("inf")).strip()
