"""Runs that were trained from something else than the newest ones."""

from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.compare import compare
from cifarbench.errors import UserError
from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.verified import (
    VERIFIED,
    Origin,
    Verification,
    Verified,
    read_verified,
    write_verified,
)
from cifarbench.sweep.staleness import ORIGIN, origins, stale_now, stale_runs, standings
from helpers.synthetic import record, synthetic

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
    assert stale_runs(table, Verified()) == {}
    table.loc[1, column] = value
    table.loc[2, "finished"] = "2026-02-01T00:00:00+00:00"
    assert stale_runs(table, Verified()) == {table["run"][1]: reason}
    # Once it is the newest, the others are stale.
    table.loc[1, "finished"] = "2026-03-01T00:00:00+00:00"
    assert list(stale_runs(table, Verified())) == [table["run"][0], table["run"][2]]


def test_models_and_data_sets_are_compared_with_their_own_alone() -> None:
    _, table = synthetic(configurations=3, seeds=1)
    table.loc[0, ["config.model", "code.model_sha256"]] = ["vgg16", OTHER]
    table.loc[1, ["data.name", "data.images_sha256"]] = ["digits", OTHER]
    assert stale_runs(table, Verified()) == {}


def test_a_run_can_be_stale_for_several_reasons() -> None:
    _, table = synthetic(configurations=2, seeds=1)
    table.loc[0, ["code.source_sha256", "environment.versions.torch"]] = [OTHER, "2.11.0"]
    assert stale_runs(table, Verified()) == {
        table["run"][
            0
        ]: "training sources eeeeeeee, the newest run cccccccc; torch 2.11.0, the newest run 2.15.0"
    }


def test_without_records_nothing_is_stale() -> None:
    _, table = synthetic(configurations=1, seeds=2, status="missing")
    assert stale_runs(table, Verified()) == {}


NOW = Origin("f" * 64, "9" * 64, "2.15.0")
LATER = "2026-04-01T00:00:00+00:00"


def verified(table: pd.DataFrame, *positions: int, **facts: object) -> Verified:
    """Return a verification of some runs of a table, replayed with what NOW says."""
    content: dict[str, object] = {
        "configuration": "any",
        "recorded": Origin(*(str(table[column][positions[0]]) for column in ORIGIN)),
        "replayed": NOW,
        "outcome": "bits",
        "compared": "first 10 steps",
        "difference": None,
        "fingerprint": None,
        "date": LATER,
        "version": "0.1.0",
        "runs": [str(table["run"][position]) for position in positions],
    }
    return Verified(verifications=[Verification.model_validate({**content, **facts})])


def test_what_is_verified_is_not_stale() -> None:
    _, table = synthetic(configurations=2, seeds=2)
    found = standings(table, verified(table, 0, 1, 2))
    assert [where.state for where in found.values()] == ["verified"] * 3 + ["not verified"]
    assert found[table["run"][0]].words == (
        "on 2026-04-01 with version 0.1.0, the same to the bit (first 10 steps)"
    )
    # The verification is newer than any run, so that its sources and its model file are what counts.
    assert stale_runs(table, verified(table, 0, 1, 2)) == {
        table["run"][3]: "training sources cccccccc, the newest run ffffffff; "
        "model file dddddddd, the newest run 99999999"
    }


def test_what_trains_otherwise_is_stale_and_says_where() -> None:
    _, table = synthetic(configurations=1, seeds=1)
    found = verified(table, 0, outcome="differs", difference="loss of step 2: 3.0 instead of 2.0")
    assert stale_runs(table, found) == {
        table["run"][0]: "trains otherwise now: loss of step 2: 3.0 instead of 2.0"
    }


def test_a_verification_holds_for_one_code() -> None:
    _, table = synthetic(configurations=2, seeds=1)
    found = verified(table, 0, 1)
    assert stale_runs(table, found) == {}
    # Yet others have trained a run since.
    table.loc[1, ["code.source_sha256", "finished"]] = ["a" * 64, "2026-05-01T00:00:00+00:00"]
    assert list(stale_runs(table, found)) == [table["run"][0]]


@pytest.mark.parametrize("column", ["code.source_sha256", "code.model_sha256", "data.images_sha256"])
def test_a_verification_holds_for_one_record_and_its_data(column: str) -> None:
    _, table = synthetic(configurations=2, seeds=1)
    found = verified(table, 0, 1)
    table.loc[0, column] = OTHER
    assert list(stale_runs(table, found)) == [table["run"][0]]


def test_sources_here_count_for_status() -> None:
    plan, _ = synthetic(configurations=1, seeds=2)
    records = [record(plan, position) for position in range(2)]
    here = training_source_hash()
    assert set(stale_now(records, Verified()).values()) == {f"training sources cccccccc, here now {here[:8]}"}
    replayed = Origin(here, "d" * 64, "2.15.0")
    table = origins(records)
    assert stale_now(records, verified(table, 0, 1, replayed=replayed)) == {}
    assert len(stale_now(records, verified(table, 0, 1))) == 2  # with sources that are not here any more


def test_compare_does_not_call_verified_sources_others() -> None:
    """Each of two tables is verified beside itself, by the same later version."""
    _, before = synthetic(configurations=1, seeds=3)
    after = before.assign(**{"code.source_sha256": "a" * 64})
    assert compare(before, after).compared[0].pair.differs == ["sources"]
    one = verified(before, 0, 1, 2)
    assert compare(before, after, verified=one).compared[0].pair.differs == ["sources"]
    both = one.with_new(verified(after, 0, 1, 2).verifications)
    assert compare(before, after, verified=both).compared[0].pair.differs == []
    not_all = one.with_new(verified(after, 0, 1).verifications)
    assert compare(before, after, verified=not_all).compared[0].pair.differs == ["sources"]
    other = one.with_new(verified(after, 0, 1, 2, outcome="differs", difference="there").verifications)
    assert compare(before, after, verified=other).compared[0].pair.differs == ["sources"]


def test_a_new_verification_replaces_that_of_the_same_runs() -> None:
    _, table = synthetic(configurations=1, seeds=3)
    first = verified(table, 0, 1, 2)
    second = verified(table, 1, outcome="differs", difference="there")
    both = first.with_new(second.verifications)
    assert [(v.outcome, v.runs) for v in both.verifications] == [
        ("bits", [table["run"][0], table["run"][2]]),
        ("differs", [table["run"][1]]),
    ]
    # What is found alike at another time stands together, at the later one.
    third = verified(table, 1, date="2026-05-01T00:00:00+00:00")
    (together,) = both.with_new(third.verifications).verifications
    assert set(together.runs) == set(table["run"])
    assert together.date == "2026-05-01T00:00:00+00:00"


def test_it_is_kept_in_a_file_that_is_checked(tmp_path: Path) -> None:
    _, table = synthetic(configurations=1, seeds=1)
    assert read_verified(tmp_path) == Verified()
    write_verified(verified(table, 0), tmp_path)
    assert read_verified(tmp_path) == verified(table, 0)
    (tmp_path / VERIFIED).write_text("{")
    with pytest.raises(UserError, match=r"verified.json: .*cifarbench verify, after removing it"):
        read_verified(tmp_path)
    write_verified(Verified(), tmp_path)
    assert not (tmp_path / VERIFIED).exists()
