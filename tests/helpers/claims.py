"""Synthetic results with published claims."""

from typing import Any

from cifarbench.plan.claims import Artefact, Claim, Quantity, Statement
from cifarbench.plan.plan import Plan


def quantity(name: str, **changes: Any) -> Quantity:
    return Quantity(
        **{"study": "s", "configuration": name, "label": name, "metric": "test_accuracy", **changes}
    )


def claim(kind: str, *names: str, artefact: Artefact | None = None, **settings: Any) -> Claim:
    statement = Statement(kind=kind, quantities=[quantity(name) for name in names], **settings)
    return Claim(id="c", source="s", says="w", statement=statement, artefact=artefact)


def with_claims(plan: Plan) -> Plan:
    first, last = (run.configuration for run in (plan.runs[0], plan.runs[-1]))
    return plan.model_copy(
        update={"claims": [claim("order", first, last), claim("value", "none", published=[0.5])]}
    )
