"""What a search over knobs found: how much each explains, and how good the best of k draws is.

Sources: Hutter, Hoos and Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter Importance", 2014
(variance that a knob alone explains in a random forest); Dodge and others, "Show Your Work: Improved
Reporting of Experimental Results", 2019 (expected best after k draws).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.results import Measured
from cifarbench.plan.grid import in_words

FEWEST = 8  # configurations that a forest is grown on
TREES = 200
SPAN = 10  # times that the largest value of a knob is the smallest, from which its logarithm counts


class Importance(NamedTuple):
    """`shares` of the variance of accuracy that each knob alone explains in the forest; `trust` is the share
    that the forest explains of configurations that a tree has not seen."""

    shares: dict[str, float]
    trust: float


class BestOf(NamedTuple):
    """Mean and standard deviation, (k,) each, of the best accuracy of 1, 2, ... draws."""

    label: str
    mean: np.ndarray
    deviation: np.ndarray


def held_out(configurations: Sequence[Configuration]) -> str:
    """Return the part on which a search chooses: validation images where every run has some."""
    column = "final.validation.top1"
    runs = [c.runs for c in configurations]
    return "validation" if all(column in r and r[column].notna().all() for r in runs) else "test"


def accuracies(configurations: Sequence[Configuration], part: str) -> np.ndarray:
    """Return the mean over seeds, (configurations,)."""
    return np.array([c.runs[f"final.{part}.top1"].astype(float).mean() for c in configurations])


def is_number(configurations: Sequence[Configuration], knob: str) -> bool:
    values = [c.first(f"config.{knob}") for c in configurations]
    return all(isinstance(v, int | float | np.number) and not isinstance(v, bool) and v == v for v in values)


def is_logarithmic(values: np.ndarray) -> bool:
    return bool(values.min() > 0 and values.max() / values.min() >= SPAN)


def importance(configurations: Sequence[Configuration], knobs: Sequence[str], part: str) -> Importance | None:
    """Return None of fewer than FEWEST configurations, and where all are equally good."""
    from sklearn.ensemble import RandomForestRegressor

    y = accuracies(configurations, part)
    if len(y) < FEWEST or np.ptp(y) == 0:
        return None
    x = np.column_stack([_as_numbers(configurations, knob) for knob in knobs])
    forest = RandomForestRegressor(TREES, min_samples_leaf=2, oob_score=True, random_state=0).fit(x, y)
    whole = float(np.var(forest.predict(x)))
    alone = {knob: float(np.var(_marginal(forest, x, column))) for column, knob in enumerate(knobs)}
    shares = {knob: variance / whole if whole else 0.0 for knob, variance in alone.items()}
    return Importance(shares, float(forest.oob_score_))


def _as_numbers(configurations: Sequence[Configuration], knob: str) -> np.ndarray:
    """Return a knob's values, or their logarithms, or the places of what is no number, (configurations,)."""
    values = [c.first(f"config.{knob}") for c in configurations]
    if not is_number(configurations, knob):
        texts = [str(value) for value in values]
        return np.array([sorted(set(texts)).index(text) for text in texts], float)
    numbers = np.array(values, float)
    return np.log(numbers) if is_logarithmic(numbers) else numbers


def _marginal(forest: Any, x: np.ndarray, column: int) -> np.ndarray:
    """Return what the forest predicts for each value of a column, on average over the other columns."""
    values, places = np.unique(x[:, column], return_inverse=True)
    repeated = np.tile(x, (len(values), 1))
    repeated[:, column] = np.repeat(values, len(x))
    predicted: np.ndarray = forest.predict(repeated).reshape(len(values), len(x))
    return predicted.mean(axis=1)[places]


def best_of(label: str, values: np.ndarray) -> BestOf:
    """Return the best of k draws from the distribution that the values, (n,), show, for k = 1 to n."""
    ordered, n = np.sort(values), len(values)
    k = np.arange(1, n + 1)[:, None]
    below = np.arange(n + 1) / n
    chance = np.diff(below[None, :] ** k, axis=1)  # (k, n) that the best is each value
    mean = chance @ ordered
    square = chance @ (ordered - ordered.mean()) ** 2 - (mean - ordered.mean()) ** 2
    return BestOf(label, mean, np.sqrt(np.maximum(square, 0)))


def groups(measured: Measured, numbers: Sequence[str]) -> dict[str, list[Configuration]]:
    """Return the configurations by what is compared: what is not drawn, such as the model; in a grid, what is
    not one of its `numbers`."""
    searched = measured.study.drawn or numbers
    compared = [knob for knob in measured.study.varied if knob not in searched]
    found: dict[str, list[Configuration]] = {}
    for c in measured.configurations:
        values = {knob: c.first(f"config.{knob}") for knob in compared}
        told = [str(v) if knob == "model" else in_words(knob, v) for knob, v in values.items()]
        found.setdefault(", ".join(told), []).append(c)
    return found
