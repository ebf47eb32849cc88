"""Random search: a knob of an entry may be a distribution, from which `samples` values are drawn.

A draw depends on the study's name, the knob and its number alone: 40 samples contain the first 30, and
entries of one study that draw the same knob draw the same values, which compares them fairly.
"""

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from cifarbench.config.knobs import MAPPINGS, TrainConfig
from cifarbench.errors import UserError, shown, suggest

LARGEST = 1e300
DIGITS = 4  # that a number drawn keeps, so that it can be read and typed


def _between(draw: Callable[[random.Random, float, float], float]) -> Callable[[random.Random, Any], float]:
    return lambda source, ends: float(f"{draw(source, *ends):.{DIGITS}g}")


def _log_uniform(source: random.Random, low: float, high: float) -> float:
    return math.exp(source.uniform(math.log(low), math.log(high)))


DISTRIBUTIONS: dict[str, Callable[[random.Random, Any], Any]] = {
    "uniform": _between(random.Random.uniform),
    "log_uniform": _between(_log_uniform),
    "int": lambda source, ends: source.randint(*ends),
    "choice": random.Random.choice,
}
TYPES: dict[str, TypeAdapter[Any]] = {
    "uniform": TypeAdapter(tuple[float, float]),
    "log_uniform": TypeAdapter(tuple[float, float]),  # of a text, too: YAML takes 1e-4 for one
    "int": TypeAdapter(tuple[int, int]),
    "choice": TypeAdapter(list[Any]),
}
ALLOWED = {
    "uniform": "[lowest, highest], two numbers, the smaller one first",
    "log_uniform": "[lowest, highest], two numbers above 0, the smaller one first",
    "int": "[lowest, highest], two whole numbers, the smaller one first; both can come",
    "choice": "a list with at least one value",
}


def is_distribution(name: str, value: Any) -> bool:
    """Tell a knob's distribution from a value; a seed is counted, not drawn, and of knobs that are mappings
    themselves there is only a choice."""
    if not isinstance(value, Mapping) or name == "seed":
        return False
    return value.keys() == {"choice"} if name in MAPPINGS else name in TrainConfig.model_fields


class Distribution(NamedTuple):
    kind: str
    given: Any

    def draw(self, study: str, knob: str, number: int) -> Any:
        """Return draw `number`, from 0."""
        return DISTRIBUTIONS[self.kind](random.Random(f"{study} {knob} {number}"), self.given)


def distribution(value: Mapping[str, Any], where: str) -> Distribution:
    """Read a distribution. Raise UserError unless its name is known, alone and has what it needs."""
    kind = next(iter(value), None)
    if len(value) != 1 or kind not in DISTRIBUTIONS:
        hint = suggest(str(kind), DISTRIBUTIONS)
        raise UserError(f"{where}: {shown(dict(value))} is no distribution{hint}; one name and what it needs")
    try:
        given = TYPES[kind].validate_python(value[kind])
    except ValidationError:
        given = ()
    if not (given if kind == "choice" else _in_order(kind, given)):
        raise UserError(f"{where}.{kind}: {shown(value[kind])} is not allowed: give {ALLOWED[kind]}")
    return Distribution(kind, given)


def _in_order(kind: str, ends: tuple[float, ...]) -> bool:
    lowest = 0 if kind == "log_uniform" else -LARGEST
    return len(ends) == 2 and lowest < ends[0] < ends[1] < LARGEST
