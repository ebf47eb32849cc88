"""What the differences say that answer a study's question."""

from itertools import combinations

import numpy as np

from cifarbench.analysis.components import components, floor
from cifarbench.analysis.configuration import Configuration, best_first, by_model
from cifarbench.analysis.contrasts import Contrast, contrasts, is_grid_over_models, same_runs
from cifarbench.analysis.family import Family
from cifarbench.analysis.results import Measured
from cifarbench.analysis.stats import excluded_rate
from cifarbench.report.words import few, percent, points
from cifarbench.words import count, listed

MOST = 24  # names that a sentence lists


def named(c: Configuration) -> str:
    """Write a name so that it is seen where it ends."""
    return f"“{c.label}”"


def in_words(contrast: Contrast) -> str:
    """Say one difference, and whether it is decided."""
    first, second, rival = named(contrast.first), named(contrast.second), contrast.rival
    if contrast.same_runs:
        return f"{first} and {second} are the same experiment: their runs end alike to the bit"
    if rival.interval is None:
        return f"{first} and {second} have too few seeds to be compared"
    if not rival.differs:
        return f"{first} and {second} cannot be told apart ({points(rival.interval)})"
    better, worse = (first, second) if rival.interval.mean > 0 else (second, first)
    return f"{better} beats {worse} ({points(rival.interval)})"


def finding(measured: Measured) -> str:
    """Say what a study shows in a sentence or two."""
    if len(measured.configurations) < 2:
        return f"Only {named(measured.best)} has runs."
    if measured.study.is_crossed:
        return " ".join(origins_of_noise(measured))
    found = contrasts(measured)
    if all(contrast.rival.interval is None for contrast in found):
        return f"Too few seeds to compare {count(len(measured.configurations), 'configuration')}."
    if measured.study.compare == "previous" or is_grid_over_models(measured):
        return "; ".join(map(in_words, _strongest_of_each(found))) + "."
    decided = [contrast for contrast in found if contrast.rival.differs]
    if decided:
        return in_words(decided[-1]) + "."
    compared = 1 + sum(contrast.rival.interval is not None for contrast in found)
    said = f"No difference between {count(compared, 'configuration')} is beyond seed noise"
    untested = len(measured.configurations) - compared
    return f"{said}; {few(untested, 'has', 'have')} too few seeds." if untested else f"{said}."


def origins_of_noise(measured: Measured) -> list[str]:
    """Say of each model which share of the noise comes from where."""
    return [_origins(model, group) for model, group in by_model(measured.configurations).items()]


def _origins(model: str, members: list[Configuration]) -> str:
    of = components(members)
    if of is None:
        return f"{model}: not every weights seed was trained with every order seed yet."
    if of.total == 0:
        return f"{model}: all runs reach the same."
    weights, order, interplay, others = (percent(part / of.total, 0) for part in of)
    parts = [
        f"{weights} come from the initial weights",
        f"{order} from the order of the images",
        f"{interplay} from their interplay",
        *([f"{others} from what else the seed draws"] if of.others else []),
    ]
    said = (
        f"{model}: single runs scatter by {100 * of.total**0.5:.2f} points (standard deviation); of that "
        f"variance, {listed(parts)}."
    )
    if (least := floor(members)) is None:
        return said
    return f"{said} Images that were right or wrong by themselves would make {100 * least**0.5:.2f} points."


def _strongest_of_each(found: list[Contrast]) -> list[Contrast]:
    """Return of each model the largest difference; without models, all."""
    last: dict[str, Contrast] = {contrast.model: contrast for contrast in found}
    return list(last.values()) if "" not in last else found


def conclusion(measured: Measured) -> list[str]:
    """Say what was decided, and what was not."""
    if measured.study.is_crossed:
        return origins_of_noise(measured)
    found = contrasts(measured)
    if measured.study.compare == "previous" or is_grid_over_models(measured):
        if all(contrast.rival.interval is None for contrast in found):
            return [finding(measured), *coincidences(measured)]
        return [f"{in_words(contrast)}." for contrast in found]
    best = named(measured.best)
    standing: dict[str, list[str]] = {}
    for contrast in found:
        standing.setdefault(beside_best(contrast), []).append(named(contrast.second))
    if list(standing) == [LOWER]:
        return [f"{best} is the most accurate, and each of the others is lower beyond seed noise."]
    if list(standing) == [UNTESTED]:
        return [finding(measured), *coincidences(measured)]
    told = [f"{what}: {shortened(standing[what])}." for what in STANDINGS if what in standing]
    return [f"{best} has the highest mean.", *told, *coincidences(measured)]


LOWER, ALIKE, UNTESTED = STANDINGS = (
    "Lower beyond seed noise",
    "Not told apart from it",
    "With too few seeds to be compared",
)


def beside_best(contrast: Contrast) -> str:
    """Say how the second of a contrast stands beside the first, the best."""
    if contrast.rival.interval is None:
        return UNTESTED
    return LOWER if contrast.rival.differs else ALIKE


def shortened(names: list[str]) -> str:
    more = [count(len(names) - MOST, "more", "more")] if len(names) > MOST else []
    return listed([*names[:MOST], *more])


def coincidences(measured: Measured) -> list[str]:
    """Name what is one experiment under two names."""
    pairs = combinations(measured.configurations[:MOST], 2)
    return [
        f"{named(a)} and {named(b)} are the same experiment: their runs end alike to the bit."
        for a, b in pairs
        if same_runs(a, b)
    ]


def fallen_of(c: Configuration, family: Family) -> dict[int, float]:
    """Return the accuracies of the collapsed runs by seed."""
    fallen = {value for value, fell in zip(c.accuracies, family.collapsed(c), strict=True) if fell}
    # A table that was edited may have a seed twice.
    return {seed: value for seed, value in c.by_seed("final.test.top1").items() if value in fallen}


def collapses(measured: Measured) -> list[str]:
    """Name the runs that fell far below their configuration's best, and what those without one exclude."""
    sentences, clean = [], []
    for c in measured.configurations:
        fallen = fallen_of(c, measured.family)
        others = [value for seed, value in c.by_seed("final.test.top1").items() if seed not in fallen]
        if fallen:
            told = listed([f"seed {seed}: {percent(value)}" for seed, value in fallen.items()])
            rest = " to ".join(dict.fromkeys(percent(end(others)) for end in (min, max)))
            middle, mean = (percent(float(of(c.accuracies))) for of in (np.median, np.mean))
            sentences.append(
                f"In {named(c)}, {few(len(fallen))} of {few(len(c.runs), 'run')} collapsed ({told}); "
                f"the others reach {rest}. The median of all is {middle}, their mean {mean}."
            )
        else:
            clean.append(len(c.runs))
    if sentences and clean:
        rate = percent(excluded_rate(min(clean)), 0)
        sentences.append(
            f"Where none of {few(min(clean), 'run')} collapsed, up to {rate} of further ones may still do so."
        )
    return sentences


def ranked(members: list[Configuration], most: int) -> list[Configuration]:
    """Return the best few in their own order."""
    kept = {c.key for c in best_first(members)[:most]}
    return [c for c in members if c.key in kept]
