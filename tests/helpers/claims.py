"""Synthetic results with published claims."""

from itertools import pairwise
from typing import Any

from cifarbench.plan.claims import Claim, Statement
from cifarbench.plan.plan import Plan
from cifarbench.plan.quantities import Quantity


def quantity(name: str, **changes: Any) -> Quantity:
    return Quantity(
        **{"study": "s", "configuration": name, "label": name, "metric": "test_accuracy", **changes}
    )


def statement(kind: str, *names: str, metric: str = "test_accuracy", **settings: Any) -> Statement:
    """Return a statement about configurations; an order is that of their names."""
    steps = list(pairwise(range(len(names)))) if kind == "order" else []
    quantities = [quantity(name, metric=metric) for name in names]
    return Statement(**{"kind": kind, "quantities": quantities, "steps": steps, **settings})


def claim(kind: str, *names: str, **settings: Any) -> Claim:
    own = {name: settings.pop(name) for name in ("explanation", "ours", "note") if name in settings}
    return Claim(id="c", source="P, s", says="w", statement=statement(kind, *names, **settings), **own)


def with_claims(plan: Plan) -> Plan:
    first, last = (run.configuration for run in (plan.runs[0], plan.runs[-1]))
    return plan.model_copy(
        update={"claims": [claim("order", first, last), claim("value", "none", published=[0.5])]}
    )
