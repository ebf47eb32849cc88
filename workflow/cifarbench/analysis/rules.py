"""The rules by which records speak for or against a statement.

- A value is reproduced if the published figure, give or take its tolerance, lies where one further run of
  ours would fall in 19 of 20 cases, and that is known to within the margin; it differs if it lies outside,
  unless all of that lies within the margin of it.
  Several published figures of one quantity are judged together, by where the mean of so many runs would fall.
- An order is reproduced if each step shows in a one-sided test (Welch, 5 %; all must, so none is adjusted);
  it differs if a step shows the other way round (Holm over the steps). Times are not tested: an order of them
  is reproduced if each run took longer than each of the next.
- Two are equal if their difference lies within the margin in two one-sided tests; there is no gain if it lies
  below the margin in one; they differ if the difference lies beyond.
- All are above a value if each shows it in a one-sided test; it differs if one lies below (Holm).
- No verdict on a value turns on what the images at hand may cost, nor on a part of it.
- Whatever is neither is undecided, and so is all that has fewer than FEWEST seeds.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from scipy import stats

from cifarbench.analysis.power import seeds_to_equal, seeds_to_order, seeds_to_predict
from cifarbench.analysis.stats import (
    ALPHA,
    FEWEST,
    Difference,
    Interval,
    equivalent,
    holm,
    paired,
    prediction_interval,
    welch,
)
from cifarbench.plan.claims import Statement
from cifarbench.records.metrics import METRICS, TIMES, Metric

Outcome = Literal["reproduced", "differs", "undecided", "not run"]
OUTCOMES: tuple[Outcome, ...] = ("reproduced", "differs", "undecided", "not run")
DECIDED: tuple[Outcome, ...] = ("reproduced", "differs")


class Measured(NamedTuple):
    """The values of one quantity by seed, the configuration that they are of, and the step in which they are
    counted."""

    configuration: str
    values: dict[int, float]
    resolution: float = 0.0

    @property
    def all(self) -> list[float]:
        return [self.values[seed] for seed in sorted(self.values)]


class Ruling(NamedTuple):
    """What a rule says, why, and how many seeds would decide where it is undecided (None: out of reach)."""

    outcome: Outcome
    reason: str
    seeds_needed: int | None = None
    p: float | None = None


def rule(statement: Statement, measured: Sequence[Measured], lower: float = 0.0) -> Ruling:
    """Judge a statement. `lower` is by how much the data at hand may lower the metric, so that no value
    verdict turns on less."""
    if min(len(m.values) for m in measured) < FEWEST:
        return Ruling("undecided", f"fewer than {FEWEST} seeds tell too little about the noise", FEWEST)
    metric = METRICS[statement.quantities[0].metric]
    if statement.kind == "value":
        tolerance, margin = statement.tolerance, statement.margin
        return rule_value(statement.published, measured[0].all, metric, tolerance, margin, lower)
    if statement.kind == "above":
        return _rule_above(statement, measured, metric, lower)
    if statement.quantities[0].metric in TIMES:
        return _rule_times(statement, measured, metric)
    return RULES[statement.kind](statement, measured, metric)


def rule_value(
    published: Sequence[float],
    values: Sequence[float],
    metric: Metric,
    tolerance: tuple[float, float],
    margin: float,
    lower: float = 0.0,
) -> Ruling:
    """Judge published figures of one quantity together."""
    interval = prediction_interval(values, len(published), metric.is_share)
    if interval is None:
        return Ruling("undecided", f"fewer than {FEWEST} seeds tell too little about the noise", FEWEST)
    target = float(np.mean(published))
    nearest = float(np.clip(interval.mean, target - lower, target))
    agrees = {_agrees(value, interval, tolerance, margin) for value in (target, nearest, target - lower)}
    of = "one further run" if len(published) == 1 else f"the mean of {len(published)} further runs"
    ends = f"{metric.write(interval.low)} and {metric.write(interval.high)}"
    p = _p_of_value(target, len(published), values, tolerance)
    told = f"{of} would fall between {ends} in 19 of 20 cases, p {p:.2g}"
    if len(agrees) > 1:
        return Ruling("undecided", f"{told}; {_turns_on(lower, metric)}", None, p)
    if agrees == {False}:
        return Ruling("differs", told, None, p)
    within = f"{metric.number(margin)} {metric.unit_of_difference}".rstrip()
    if interval.half > margin:
        needed = seeds_to_predict(float(np.std(values, ddof=1)), margin, len(published))
        return Ruling("undecided", f"{told}, which is not known to within {within}", needed, p)
    near = "" if _inside(target, interval, tolerance) else f", all within {within} of what was published"
    return Ruling("reproduced", told + near, None, p)


def _turns_on(lower: float, metric: Metric) -> str:
    return f"it turns on the {metric.number(lower)} {metric.unit_of_difference} that the copied images cost"


def _agrees(value: float, interval: Interval, tolerance: tuple[float, float], margin: float) -> bool:
    """Say whether a published figure lies in the interval, or all of it within the margin of the figure."""
    below, above = value - tolerance[0] - margin, value + tolerance[1] + margin
    return _inside(value, interval, tolerance) or (below <= interval.low and interval.high <= above)


def _inside(value: float, interval: Interval, tolerance: tuple[float, float]) -> bool:
    return interval.low <= value + tolerance[1] and value - tolerance[0] <= interval.high


def _p_of_value(target: float, number: int, values: Sequence[float], tolerance: tuple[float, float]) -> float:
    """Return the p-value of the published mean, at the end of its tolerance that is nearest to ours."""
    mean = float(np.mean(values))
    nearest = min(max(mean, target - tolerance[0]), target + tolerance[1])
    error = float(np.std(values, ddof=1)) * (1 / number + 1 / len(values)) ** 0.5
    if error == 0:
        return 1.0 if nearest == mean else 0.0
    return float(2 * stats.t.sf(abs(nearest - mean) / error, len(values) - 1))


def difference(first: Measured, second: Measured) -> Difference:
    """Return first minus second: in pairs where both come from the same runs, which those of one
    configuration are, and those that end alike to the bit."""
    test = paired if same_runs(first, second) else welch
    found = test(first.all, second.all, max(first.resolution, second.resolution))
    assert found is not None  # there are enough seeds
    return found


def same_runs(first: Measured, second: Measured) -> bool:
    return (first.configuration == second.configuration and first.values.keys() == second.values.keys()) or (
        alike(first, second)
    )


def alike(first: Measured, second: Measured) -> bool:
    """Say whether all runs end alike to the bit, though they are of different configurations."""
    return first.configuration != second.configuration and first.values == second.values


def _rule_order(statement: Statement, measured: Sequence[Measured], metric: Metric) -> Ruling:
    pairs = [(measured[above], measured[below]) for above, below in statement.steps]
    steps = [difference(*pair) for pair in pairs]
    by = statement.margin
    told = "; ".join(in_words(step, metric) for step in steps) + _published(statement, steps, metric)
    if any(alike(*pair) for pair in pairs):
        return Ruling("differs", "the runs end alike to the bit in every seed")
    shown = max(step.p_above(by) for step in steps)
    if shown < ALPHA:
        return Ruling("reproduced", told, None, shown)
    reversed_ = min(holm([step.p_below(by) for step in steps]))
    if reversed_ < ALPHA:
        return Ruling("differs", told, None, reversed_)
    open_ = [pair for pair, step in zip(pairs, steps, strict=True) if step.p_above(by) >= ALPHA]
    needed = [_seeds_to_order(*pair, by) for pair in open_]
    return Ruling("undecided", told, None if None in needed else max(n for n in needed if n), shown)


def _seeds_to_order(first: Measured, second: Measured, by: float) -> int | None:
    """Return the seeds that would show a step, in the direction in which it looks."""
    effect = abs(float(np.mean(first.all) - np.mean(second.all)) - by)
    return seeds_to_order(effect, *(float(np.std(m.all, ddof=1)) for m in (first, second)))


def _published(statement: Statement, steps: Sequence[Difference], metric: Metric) -> str:
    """Say whether the published differences lie in the intervals of ours."""
    if len(statement.published) != len(statement.quantities):
        return ""
    said = []
    for (above, below), step in zip(statement.steps, steps, strict=True):
        value = statement.published[above] - statement.published[below]
        low, high = step.interval()[1:]
        inside = "inside" if low <= value <= high else "outside"
        said.append(f"{metric.difference(value)}, {inside} that interval")
    return f"; published {'; '.join(said)}"


def _rule_times(statement: Statement, measured: Sequence[Measured], metric: Metric) -> Ruling:
    steps = [(measured[above].all, measured[below].all) for above, below in statement.steps]
    told = "; ".join(" against ".join(_range(values, metric) for values in step) for step in steps)
    if all(min(above) > max(below) for above, below in steps):
        return Ruling("reproduced", f"{told}: no overlap")
    if any(max(above) < min(below) for above, below in steps):
        return Ruling("differs", f"{told}: the other way round")
    return Ruling("undecided", f"{told}: they overlap")


def _range(values: Sequence[float], metric: Metric) -> str:
    median, lowest, highest = (metric.number(float(of(values))) for of in (np.median, min, max))
    return f"{median} ({lowest} to {highest})"


def _rule_equal(statement: Statement, measured: Sequence[Measured], metric: Metric) -> Ruling:
    found, margin = difference(*measured), statement.margin
    told = f"{in_words(found, metric)}{_within(margin, metric)}"
    if equivalent(found, margin):
        return Ruling("reproduced", told, None, max(found.p_above(-margin), found.p_below(margin)))
    beyond = min(found.p_above(margin), found.p_below(-margin))
    if beyond < ALPHA:
        return Ruling("differs", told, None, beyond)
    return Ruling("undecided", told, _seeds_to_equal(measured, margin))


def _rule_no_gain(statement: Statement, measured: Sequence[Measured], metric: Metric) -> Ruling:
    found, margin = difference(*measured), statement.margin
    told = f"{in_words(found, metric)}{_within(margin, metric)}"
    if found.p_below(margin) < ALPHA:
        return Ruling("reproduced", told, None, found.p_below(margin))
    if found.p_above(margin) < ALPHA:
        return Ruling("differs", told, None, found.p_above(margin))
    return Ruling("undecided", told, _seeds_to_order(measured[0], measured[1], margin))


def _seeds_to_equal(measured: Sequence[Measured], margin: float) -> int | None:
    apart = float(np.mean(measured[0].all) - np.mean(measured[1].all))
    first, second = (float(np.std(m.all, ddof=1)) for m in measured)
    return seeds_to_equal(apart, first, second, margin)


def _within(margin: float, metric: Metric) -> str:
    return f", where {metric.number(margin)} {metric.unit_of_difference}".rstrip() + " do not matter"


def _rule_above(statement: Statement, measured: Sequence[Measured], metric: Metric, lower: float) -> Ruling:
    [bound] = statement.published
    found = [
        Difference(float(np.mean(m.all)), _error(m), len(m.values) - 1, (len(m.values), 1)) for m in measured
    ]
    least = min(found, key=lambda d: d.mean)
    told = f"the lowest is {metric.write(least.mean)}"
    shown = max(d.p_above(bound) for d in found)
    if shown < ALPHA:
        return Ruling("reproduced", told, None, shown)
    below, surely_below = (min(holm([d.p_below(b) for d in found])) for b in (bound, bound - lower))
    if surely_below < ALPHA:
        return Ruling("differs", told, None, surely_below)
    if below < ALPHA:
        told = f"{told}; {_turns_on(lower, metric)}"
    return Ruling("undecided", told, None, shown)


def _error(measured: Measured) -> float:
    variance = max(float(np.var(measured.all, ddof=1)), measured.resolution**2 / 12)
    return (variance / len(measured.values)) ** 0.5


RULES: dict[str, Callable[[Statement, Sequence[Measured], Metric], Ruling]] = {
    "order": _rule_order,
    "equal": _rule_equal,
    "no_gain": _rule_no_gain,
}


def in_words(difference: Difference, metric: Metric) -> str:
    """Write a difference with its 95 % interval."""
    low, high = (metric.end(end) for end in difference.interval()[1:])
    of = f"{metric.difference(difference.mean)} {metric.unit_of_difference}".rstrip()
    return f"difference {of} [{low}, {high}]"


def most_of_it_goes(published: Difference, sound: Difference) -> bool:
    """Say whether most of a difference disappears under a sound protocol: the interaction is above zero, and
    the upper limit of what remains lies under half of it."""
    error = (published.error**2 + sound.error**2) ** 0.5
    parts = sum(d.error**4 / d.freedom for d in (published, sound))
    interaction = Difference(
        published.mean - sound.mean, error, error**4 / parts if parts else np.inf, (0, 0)
    )
    return interaction.p_above() < ALPHA and sound.interval().high < published.mean / 2


def is_lost(published: Difference, sound: Difference, margin: float) -> bool:
    """Say whether a difference that matters is gone under a sound protocol: equivalent within the margin."""
    return equivalent(sound, margin) and not equivalent(published, margin)
