"""How often the rules err and decide, simulated: `cifarbench bench-statistics`.

Accuracies are drawn whose truth is known, in three shapes of noise and counted on few or many images, and
judged by the rules in use. Families and looks take the formulas of `stats` in arrays, since they have
millions of pairs (a test compares the two); verdicts and comparisons call `rules` and `compare` themselves.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from cifarbench.analysis.compare import MARGIN, Pair, judged
from cifarbench.analysis.rules import DECIDED, Measured, Outcome, rule
from cifarbench.analysis.stats import critical_range, family_level, welch
from cifarbench.plan.claims import Kind, Statement
from cifarbench.plan.quantities import Quantity

Random = np.random.Generator

DEVIATION = 0.014  # of accuracy over seeds: a typical configuration of the published table
UNEQUAL = (0.003, 0.03)  # from the steadiest to the loosest
FALLS, DEPTH = 0.3, 0.3  # share of a collapsing configuration's runs that fall, and how far
ONE_OF = 5  # configurations collapses, and that many make a study
MEAN = 0.6


class Noise(NamedTuple):
    """How runs scatter; accuracies are counted on so many test images."""

    title: str
    images: int = 10_000
    unequal: bool = False
    collapsing: bool = False
    deviation: float = DEVIATION

    def deviations(self, configurations: int) -> np.ndarray:
        if not self.unequal:
            return np.full(configurations, self.deviation)
        return np.geomspace(*UNEQUAL, configurations)

    def collapses(self, configurations: int) -> np.ndarray:
        """Return which configurations collapse in some runs."""
        return (np.arange(configurations) % ONE_OF == ONE_OF - 1) & self.collapsing

    def truth(self, means: np.ndarray) -> np.ndarray:
        """Return the true means, of the runs that fall and those that do not."""
        return means - FALLS * DEPTH * self.collapses(len(means))

    def draw(self, random: Random, trials: int, means: np.ndarray, seeds: int) -> np.ndarray:
        """Return accuracies, (trials, configurations, seeds)."""
        k = len(means)
        shape = (trials, k, seeds)
        values = random.normal(means[:, None], self.deviations(k)[:, None], shape)
        fell = (random.random(shape) < FALLS) & self.collapses(k)[:, None]
        return np.clip(np.round((values - DEPTH * fell) * self.images), 0, self.images) / self.images


EQUAL = Noise("equal")
STEADY = Noise("steady", deviation=0.005)
REPRODUCED, DIFFERS = DECIDED
NOISES = [
    Noise(f"{title}, {images:,} images", images, unequal, collapsing)
    for title, unequal, collapsing in (
        ("equal", False, False),
        ("unequal", True, False),
        ("a fifth collapses", False, True),
    )
    for images in (10_000, 360)
]


class Sample(NamedTuple):
    """Means over seeds, the variances of these means, and their degrees of freedom, each of one shape."""

    means: np.ndarray
    variances: np.ndarray
    freedom: np.ndarray

    def at(self, *place: Any) -> "Sample":
        return Sample(*(part[place] for part in self))


def sample(values: np.ndarray, images: int) -> Sample:
    """Sum up the seeds, the last axis."""
    seeds = values.shape[-1]
    variances = np.maximum(values.var(-1, ddof=1), 1 / images**2 / 12)
    return Sample(values.mean(-1), variances / seeds, np.full(variances.shape, seeds - 1))


def told_apart(first: Sample, second: Sample, number: int, level: float) -> np.ndarray:
    """Return whether Games and Howell's test tells two of `number` means apart, as `Difference.differs`."""
    a, b = first.variances, second.variances
    freedom = (a + b) ** 2 / (a**2 / first.freedom + b**2 / second.freedom)
    distance = np.abs(first.means - second.means) / (a + b) ** 0.5 * 2**0.5
    return distance > critical_range(number, freedom, level)


def lower_than_best(of: Sample, number: int, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Return of each trial which configuration has the highest mean, and which are told from it."""
    best = of.means.argmax(1)
    return best, told_apart(of.at(np.arange(len(best)), best, None), of, number, level)


def page_error(random: Random, noise: Noise, configurations: int, seeds: int, trials: int) -> float:
    """Return the share of pages that are wrong: the best of all, or the best of a study, is said to be above
    another that truly is no lower. But for collapsing all means are the same."""
    means = np.full(configurations, MEAN)
    of = sample(noise.draw(random, trials, means, seeds), noise.images)
    truth, level = noise.truth(means), family_level(configurations)
    wrong = np.zeros(trials, bool)
    studies = [slice(start, start + ONE_OF) for start in range(0, configurations, ONE_OF)]
    for members in (slice(None), *studies):
        best, lower = lower_than_best(of.at(slice(None), members), configurations, level)
        wrong |= (lower & (truth[members][best][:, None] <= truth[members])).any(1)
    return float(wrong.mean())


def family_power(
    random: Random, noise: Noise, configurations: int, seeds: int, effect: float, trials: int
) -> float:
    """Return how often the best is told from one other configuration that lies `effect` below."""
    of = sample(noise.draw(random, trials, np.array([MEAN + effect, MEAN]), seeds), noise.images)
    best, other = (of.at(slice(None), place) for place in (0, 1))
    return float(told_apart(best, other, configurations, family_level(configurations)).mean())


class Case(NamedTuple):
    """A statement, the truth, and which verdicts would be wrong."""

    title: str
    kind: Kind
    means: tuple[float, ...]
    """True means, as differences from MEAN."""
    wrong: Sequence[Outcome]
    margin: float = MARGIN
    noise: Noise = EQUAL


CASES = [
    *(
        Case(
            f"a value, {off}, deviation {100 * noise.deviation:g} points",
            "value",
            (mean,),
            [wrong],
            noise=noise,
        )
        for noise in (STEADY, EQUAL)
        for off, mean, wrong in (
            ("true", 0.0, DIFFERS),
            ("3 points off", -0.03, REPRODUCED),
            ("5 points off", -0.05, REPRODUCED),
        )
    ),
    Case("an order of two, true by 3 points", "order", (0.03, 0.0), [DIFFERS], 0.0),
    Case("an order of two, equal", "order", (0.0, 0.0), DECIDED, 0.0),
    Case("an order of two, reversed by 3 points", "order", (0.0, 0.03), [REPRODUCED], 0.0),
    Case("an order of five, true by 3 points each", "order", (0.12, 0.09, 0.06, 0.03, 0.0), [DIFFERS], 0.0),
    Case("an order of five, two of them equal", "order", (0.12, 0.09, 0.03, 0.03, 0.0), DECIDED, 0.0),
    Case("equality, true", "equal", (0.0, 0.0), [DIFFERS]),
    Case("equality, 2 points apart, the margin", "equal", (0.02, 0.0), DECIDED),
    Case("equality, 5 points apart", "equal", (0.05, 0.0), [REPRODUCED]),
    Case("no gain, true", "no_gain", (0.0, 0.0), [DIFFERS]),
    Case("no gain, 2 points, the margin", "no_gain", (0.02, 0.0), DECIDED),
    Case("no gain, 5 points", "no_gain", (0.05, 0.0), [REPRODUCED]),
    Case("all above a value, by 3 points", "above", (0.03, 0.03), [DIFFERS], 0.0),
    Case("all above a value, one at it", "above", (0.03, 0.0), DECIDED, 0.0),
]


def verdict_shares(random: Random, case: Case, seeds: int, trials: int) -> tuple[float, float]:
    """Return how often a statement is said to be reproduced, and to differ."""
    places = range(len(case.means))
    quantities = [
        Quantity(study="s", configuration=str(n), label=str(n), metric="test_accuracy") for n in places
    ]
    statement = Statement(
        kind=case.kind,
        quantities=quantities,
        steps=list(pairwise(places)) if case.kind == "order" else [],
        published=[MEAN] if case.kind in ("value", "above") else [],
        margin=case.margin,
    )
    values = case.noise.draw(random, trials, MEAN + np.array(case.means), seeds)
    found = [
        rule(
            statement,
            [
                Measured(str(n), dict(enumerate(of.tolist())), 1 / case.noise.images)
                for n, of in enumerate(trial)
            ],
        ).outcome
        for trial in values
    ]
    return found.count("reproduced") / trials, found.count("differs") / trials


class Compared(NamedTuple):
    """Shares of: comparisons of equals that find a difference, configurations of them that are shown to be
    equivalent, and configurations that lost 3 points and are shown to be worse."""

    false: float
    equivalent: float
    found: float


def comparison_shares(random: Random, configurations: int, seeds: int, trials: int) -> Compared:
    before, after = (EQUAL.draw(random, trials, np.full(configurations, MEAN), seeds) for _ in range(2))
    equals, lost = (
        [_compared(a, b) for a, b in zip(before, shifted, strict=True)] for shifted in (after, after - 0.03)
    )
    return Compared(
        float(np.mean(["different" in outcomes for outcomes in equals])),
        float(np.mean([outcome == "equivalent" for outcomes in equals for outcome in outcomes])),
        float(np.mean([outcome == "different" for outcomes in lost for outcome in outcomes])),
    )


def _compared(before: np.ndarray, after: np.ndarray) -> list[str]:
    pairs = [
        Pair(str(n), a.tolist(), b.tolist(), False, welch(b, a, 1 / EQUAL.images), None, [])
        for n, (a, b) in enumerate(zip(before, after, strict=True))
    ]
    return [compared.outcome for compared in judged(pairs, MARGIN)]


class Adaptive(NamedTuple):
    """Shares of: families in which a look says wrongly that one is lower than the best, runs that were
    trained of all that there could be, and configurations that are truly lower than the best and told from it
    at the end."""

    false: float
    trained: float
    found: float


def adaptive_shares(
    random: Random, noise: Noise, means: np.ndarray, looks: tuple[int, ...], trials: int, naive: bool = False
) -> Adaptive:
    """Train more seeds of what cannot be told from the best, look by look, as `looks.look` does."""
    k, truth = len(means), noise.truth(means)
    level = family_level(k, 1 if naive else len(looks))
    values = noise.draw(random, trials, means, looks[-1])
    after = [sample(values[..., :seeds], noise.images) for seeds in looks]
    reached = np.zeros((trials, k), int)
    wrong, lower = np.zeros(trials, bool), np.zeros((trials, k), bool)
    for look in range(len(looks)):
        now = Sample(*(np.choose(reached, parts) for parts in zip(*after, strict=True)))
        best, lower = lower_than_best(now, k, level)
        wrong |= (lower & (truth[best][:, None] <= truth)).any(1)
        undecided = ~lower
        undecided[undecided.sum(1) == 1] = False  # the best alone
        reached = np.where(undecided, min(look + 1, len(looks) - 1), reached)
    trained = np.array(looks)[reached].mean() / looks[-1]
    found = lower[:, truth < truth.max()]
    return Adaptive(float(wrong.mean()), float(trained), float(found.mean()) if found.size else 1.0)
