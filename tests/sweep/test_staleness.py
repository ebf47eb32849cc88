"""Runs that were trained from something else than the newest ones."""

import pytest

from cifarbench.sweep.staleness import stale_runs
from helpers.synthetic import synthetic

OTHER = "e" * 64


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("code.source_sha256", OTHER, "training sources eeeeeeee, the newest run cccccccc"),
        ("code.model_sha256", OTHER, "model file eeeeeeee, the newest run dddddddd"),
        ("data.images_sha256", OTHER, "data set eeeeeeee, the newest run bbbbbbbb"),
        ("environment.versions.torch", "2.14.0+cpu", "torch 2.14.0+cpu, the newest run 2.15.0"),
    ],
)
def test_what_differs_from_the_newest_run_is_stale(column: str, value: str, reason: str) -> None:
    _, table = synthetic(configurations=2, seeds=2, status={3: "missing"})
    assert stale_runs(table) == {}
    table.loc[1, column] = value
    table.loc[2, "finished"] = "2026-02-01T00:00:00+00:00"
    assert stale_runs(table) == {table["run"][1]: reason}
    # Once it is the newest, the others are stale.
    table.loc[1, "finished"] = "2026-03-01T00:00:00+00:00"
    assert list(stale_runs(table)) == [table["run"][0], table["run"][2]]


def test_models_and_data_sets_are_compared_with_their_own_alone() -> None:
    _, table = synthetic(configurations=3, seeds=1)
    table.loc[0, ["config.model", "code.model_sha256"]] = ["vgg16", OTHER]
    table.loc[1, ["data.name", "data.images_sha256"]] = ["digits", OTHER]
    assert stale_runs(table) == {}


def test_a_run_can_be_stale_for_several_reasons() -> None:
    _, table = synthetic(configurations=2, seeds=1)
    table.loc[0, ["code.source_sha256", "environment.versions.torch"]] = [OTHER, "2.11.0"]
    assert stale_runs(table) == {
        table["run"][
            0
        ]: "training sources eeeeeeee, the newest run cccccccc; torch 2.11.0, the newest run 2.15.0"
    }


def test_without_records_nothing_is_stale() -> None:
    _, table = synthetic(configurations=1, seeds=2, status="missing")
    assert stale_runs(table) == {}
