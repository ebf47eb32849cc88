"""Seeds where they are needed: `seed: {from: 3, to: 12, until: decided}` of a study."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cifarbench.errors import UserError, explain, shown

FEWEST = 3  # seeds that can be tested
GROWTH = 1.5  # of the seeds from look to look


class Schedule(BaseModel):
    """From how many seeds to how many a study trains what is still open."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fewest: int = Field(alias="from", ge=FEWEST, description="seeds of every configuration")
    most: int = Field(alias="to", le=1000, description="seeds of what stays undecided")
    until: Literal["decided"] = Field(description="when a configuration gets no more seeds")

    @model_validator(mode="after")
    def _grows(self) -> "Schedule":
        if self.most <= self.fewest:
            raise ValueError(f"'to' must be more than 'from', not {self.most} after {self.fewest}")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Return the seeds at each look, such as 3, 5, 8 and 12."""
        seeds = [self.fewest]
        while seeds[-1] < self.most:
            seeds.append(min(self.most, math.ceil(GROWTH * seeds[-1])))
        return tuple(seeds)


def is_schedule(seed: Any) -> bool:
    """Tell a schedule from seeds that are given."""
    return isinstance(seed, Mapping)


def schedule(seed: Any, where: str) -> Schedule:
    """Read a schedule. Raise UserError naming the part that is wrong."""
    if not seed.keys() & {"from", "to", "until"}:
        raise UserError(
            f"{where}.seed: {shown(dict(seed))} is not allowed: give seeds, as [0, 1, 2], or "
            "{from: 3, to: 12, until: decided}"
        )
    try:
        return Schedule.model_validate(seed)
    except ValidationError as error:
        raise UserError(explain(error, f"{where}.seed", ["from", "to", "until"])) from None
