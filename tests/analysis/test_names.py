"""What configurations are called in the table."""

from typing import Any

from cifarbench.analysis.names import table_names
from helpers.synthetic import synthetic


def names(*knobs: dict[str, Any]) -> list[str]:
    """Return the names of configurations that differ in these knobs."""
    plan, _ = synthetic(configurations=len(knobs), seeds=1)
    base = plan.runs[0].config
    runs = [
        run.model_copy(update={"config": base.model_copy(update=own)})
        for run, own in zip(plan.runs, knobs, strict=True)
    ]
    return list(
        table_names(plan.model_copy(update={"runs": runs}), [run.configuration for run in runs]).values()
    )


def test_a_file_of_weights_is_told_by_its_name_not_by_its_checksum() -> None:
    file = {"initial_weights": "w.pt", "initial_weights_sha256": "a" * 64}
    assert names({}, {}, file)[2] == "lenet5, initial weights w.pt"


def test_no_is_said_of_what_is_off_and_0_of_a_seed() -> None:
    assert names({"momentum": 0.9}, {"momentum": 0.0})[1] == "lenet5, no momentum"
    assert names({"data_seed": 3}, {"data_seed": 0})[1] == "lenet5, data seed 0"
