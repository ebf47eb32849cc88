"""Times of a machine that did other work meanwhile: told, and ranked nowhere."""

from pathlib import Path

import pandas as pd

from cifarbench.analysis.compare import compare
from cifarbench.analysis.results import Results, pareto_front
from cifarbench.analysis.table import records_in
from cifarbench.analysis.verdicts import evidence
from cifarbench.plan.plan import Plan
from cifarbench.plan.quantities import Quantity
from cifarbench.report.page import render
from cifarbench.sweep.expectation import paces
from helpers.synthetic import synthetic


def shared(table: pd.DataFrame, configuration: str) -> pd.DataFrame:
    """Return a table of which one configuration's runs shared their machine."""
    return table.assign(times=["shared" if key == configuration else None for key in table["configuration"]])


def first_configuration() -> tuple[Plan, pd.DataFrame, str]:
    plan, table = synthetic()
    key = plan.runs[0].configuration
    return plan, shared(table, key), key


def test_they_are_on_no_front_and_in_no_median() -> None:
    plan, table, key = first_configuration()
    [family] = Results(plan, table).families.values()
    metrics = {c.key: c.metrics for c in family.configurations}
    assert "seconds" not in metrics[key] and "images_per_second" not in metrics[key]
    assert all("seconds" in of for other, of in metrics.items() if other != key)
    assert len(metrics[key]["test_accuracy"].values) == 3
    assert key not in {member.configuration.key for member in pareto_front(family, "seconds")}


def test_one_busy_seed_leaves_the_times_of_the_others() -> None:
    plan, table = synthetic(configurations=1)
    table["times"] = ["shared", None, "alone"]
    [family] = Results(plan, table).families.values()
    assert family.configurations[0].metrics["seconds"].values == table["seconds.train"].tolist()[1:]


def test_no_claim_and_no_comparison_is_decided_by_them() -> None:
    plan, table, key = first_configuration()
    known = evidence(plan, table)
    quantity = Quantity(study="rates", configuration=key, label="first", metric="seconds")
    assert known.measured(quantity).values == {}
    assert known.hardware([quantity]) == set()
    assert len(known.measured(quantity.model_copy(update={"metric": "test_accuracy"})).values) == 3
    ratios = {c.pair.configuration: c.pair.time_ratio for c in compare(table, table).compared}
    assert ratios.pop(key) is None
    assert set(ratios.values()) == {(1.0, 1.0, 1.0)}


def test_the_page_tells_them_and_says_so(tmp_path: Path) -> None:
    plan, table, _ = first_configuration()
    render(plan, table, tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert page.count("beside other work on the machine, so not ranked") == 4  # by each seed and on the card
    kept = pd.read_parquet(tmp_path / "runs.parquet").set_index("run")
    assert kept["seconds.train"].notna().all()


def test_they_are_expected_again_only_for_want_of_others() -> None:
    _, table, key = first_configuration()
    records = records_in(table)
    model, device = records[0].config.model, records[0].environment.device_name
    found = paces([record for record in records if record.configuration == key])
    assert set(found) == {(model, "")}
    assert {(model, ""), (model, device)} < set(paces(records))
