"""The README beside the page: hours by hand, and what has no record."""

import re

import pandas as pd

from cifarbench.analysis.results import Results
from cifarbench.report.readme import readme
from helpers.synthetic import synthetic


def cells(text: str, first: str) -> list[str]:
    [line] = re.findall(rf"^\| {re.escape(first)} .*$", text, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_hours_are_told_by_model_machine_and_commit() -> None:
    plan, table = synthetic(configurations=1, title="Mine | and <yours>")
    table["seconds.total"] = 3600.0
    table["environment.device_name"] = ["A", "A", "B"]
    table["times"] = ["shared", None, None]
    text = readme(Results(plan, table))
    assert text.startswith("# Mine \\| and &lt;yours&gt;\n")
    assert "3 of 3 runs are done." in text
    assert cells(text, "lenet5") == ["lenet5", "3", "1", "3.0"]
    assert cells(text, "A") == ["A", "1", "2.15.0", "0123456789ab", "2", "1", "2.0"]
    assert cells(text, "B") == ["B", "1", "2.15.0", "0123456789ab", "1", "0", "1.0"]
    assert "## Not run" not in text


def test_what_was_not_run_is_told_with_its_cost() -> None:
    # 45,000 images at 9,000 a second and a second beside that, in each of 4 epochs: 24 seconds a run.
    plan, table = synthetic(configurations=1, seeds=151)
    rest = [{"run": run.id, "configuration": run.configuration, "status": "missing"} for run in plan.runs[1:]]
    text = readme(Results(plan, pd.concat([table[:1], pd.DataFrame(rest)], ignore_index=True)))
    assert "1 of 151 runs are done." in text
    assert cells(text, "rates") == ["rates", "150", "1.0", ""]
    assert cells(text, "all, each once")[1:] == ["150", "1.0", ""]


def test_without_any_record_it_names_the_models_that_none_tells_of() -> None:
    plan, table = synthetic(configurations=1, seeds=2, status="missing")
    text = readme(Results(plan, table))
    assert "## Trained" not in text
    assert cells(text, "rates") == ["rates", "2", "", "lenet5"]
