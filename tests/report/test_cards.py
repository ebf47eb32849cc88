"""The commands of a card: from a clone to figures, whatever a run needs beside its knobs."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from cifarbench.analysis.results import Results
from cifarbench.config.benchmark import Dataset
from cifarbench.plan.plan import Plan
from cifarbench.report.cards import cards
from cifarbench.report.page import render
from helpers.browser import chromium, open_offline
from helpers.synthetic import synthetic


def with_knobs(**knobs: Any) -> tuple[Plan, pd.DataFrame]:
    """Return results whose runs have these knobs, though their ids do not say so."""
    plan, table = synthetic(configurations=2)
    runs = [run.model_copy(update={"config": run.config.model_copy(update=knobs)}) for run in plan.runs]
    extra = [Dataset(name=name, format="digits") for name in knobs.get("extra_tests", ())]
    return plan.model_copy(update={"runs": runs, "datasets": [*plan.datasets, *extra]}), table


@pytest.mark.parametrize(
    ("model", "asks"), [("patches", True), ("lenet5", False), ("torchvision/resnet18", False)]
)
def test_a_model_of_ones_own_asks_for_its_file(model: str, asks: bool) -> None:
    found = cards(Results(*with_knobs(model=model)))
    calls = [flags for runs in found["runs"].values() for _, _, flags, _ in runs]
    assert {flags.endswith("--model-file FILE") for flags in calls} == {asks}


@pytest.mark.parametrize(("model", "packages"), [("timm/convnext_tiny", "extras"), ("lenet5", "ready")])
def test_every_data_set_and_package_that_a_run_needs_is_made_ready(
    tmp_path: Path, model: str, packages: str
) -> None:
    plan, table = with_knobs(model=model, extra_tests=("shifted",))
    render(plan, table, tmp_path)
    address = f"{(tmp_path / 'index.html').as_uri()}#run={plan.runs[0].configuration}"
    with chromium() as browser:
        lines = open_offline(browser, address).locator(".cite pre").inner_text().splitlines()
    assert f"make .venv/.{packages}" in lines
    made = [line.split(" --output ")[1] for line in lines if line.startswith("cifarbench normalise")]
    assert made == ["data/cifar10", "data/shifted"]
    trained = [line for line in lines if line.startswith("cifarbench train")]
    assert ["--extra-tests shifted" in line for line in trained] == [True] * 3
