"""Runs taken from known results: what is kept of them, what is refused, and what is said of the rest."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from cifarbench.analysis.adopt import Adoption, Here, adopt, choose
from cifarbench.analysis.columns import DONE
from cifarbench.analysis.table import collect, read_table, records_in, write_table
from cifarbench.cli.parser import main
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import RECORD, WEIGHTS
from cifarbench.records.record import ExtraTest, read_record
from cifarbench.records.verified import Origin, Verification, Verified, read_verified, write_verified
from helpers.known import RUNS, of


def reasons(found: Adoption) -> str:
    [(_, reason)] = found.refused
    return reason


def test_an_adopted_run_keeps_all_but_its_weights(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame, tmp_path: Path
) -> None:
    found = choose(of(known), plan, here, runs)
    assert (found.runs, found.refused) == (published["run"].tolist(), {})
    adopt(found, plan, runs)
    for before in records_in(published):
        record = read_record(runs / before.run / RECORD)
        assert record.adopted and record.adopted.source == str(known)
        assert record.adopted.verified == "trained by the sources that are here"
        assert record.model_copy(update={"adopted": None}) == before
        assert not (runs / before.run / WEIGHTS).exists()
    collect(plan, runs, tmp_path / "again.parquet")
    again = read_table(tmp_path / "again.parquet").set_index("run").loc[published["run"]].reset_index()
    assert again["correct"].tolist() == published["correct"].tolist()
    for column in ("calibration.images", "calibration.confidence", "calibration.accuracy"):
        assert [list(v) for v in again[column]] == [list(v) for v in published[column]]
    assert set(again["status"]) <= set(DONE)


def test_runs_of_another_plan_are_said_to_be_so(known: Path, plan: Plan, here: Here, runs: Path) -> None:
    half = plan.model_copy(update={"runs": [run for run in plan.runs if run.config.seed > 10**6]})
    found = choose(of(known), half, here, runs)
    assert found.runs == []
    assert reasons(found) == "not in the plan"


def replayed(published: pd.DataFrame, by: Origin, outcome: str) -> Verified:
    first = published.iloc[0]
    recorded = Origin(
        first["code.source_sha256"], first["code.model_sha256"], first["environment.versions.torch"]
    )
    return Verified(
        verifications=[
            Verification(
                configuration=run.rpartition("-s")[0],
                recorded=recorded,
                replayed=by,
                outcome=outcome,
                compared="fingerprint",
                difference="loss of step 2: 1.5 instead of 1.4" if outcome == "differs" else None,
                fingerprint=None,
                date="2026-11-25T08:00:00+00:00",
                version="0.1.0",
                runs=[run],
            )
            for run in published["run"]
        ]
    )


def test_other_sources_need_to_be_verified(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    today = here._replace(sources="0" * 64)
    found = choose(of(known), plan, today, runs)
    assert (found.runs, len(found.refused)) == ([], 1)
    assert f"`cifarbench verify {known}` tells" in reasons(found)
    assert f"{RUNS} runs of {known} are not taken: trained by other sources" in found.in_words()[0]

    by = Origin("0" * 64, published["code.model_sha256"].iloc[0], "2.15.0")
    write_verified(replayed(published, by, "fingerprint"), known.parent)
    found = choose(of(known), plan, today, runs)
    assert found.runs == published["run"].tolist()
    adopt(found, plan, runs)
    record = read_record(runs / found.runs[0] / RECORD)
    assert record.adopted and record.adopted.verified.startswith("verified on 2026-11-25 with version 0.1.0")
    assert {run for run, _ in read_verified(runs.parent).by_run()} == set(found.runs)

    # Of other sources than either it says nothing; but what was adopted is not given up for that.
    assert choose(of(known), plan, here._replace(sources="1" * 64), runs).runs == found.runs
    shutil.rmtree(runs)
    assert choose(of(known), plan, here._replace(sources="1" * 64), runs).runs == []


def test_what_trains_otherwise_now_is_not_taken(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    by = Origin("0" * 64, published["code.model_sha256"].iloc[0], "2.15.0")
    write_verified(replayed(published, by, "differs"), known.parent)
    found = choose(of(known), plan, here._replace(sources="0" * 64), runs)
    assert found.runs == []
    assert reasons(found) == (
        "`cifarbench verify` found that it trains otherwise now: loss of step 2: 1.5 instead of 1.4"
    )


def test_other_images_or_another_model_file_are_not_taken(
    known: Path, plan: Plan, here: Here, runs: Path
) -> None:
    found = choose(of(known), plan, here._replace(images=dict.fromkeys(here.images, "0" * 64)), runs)
    assert (found.runs, reasons(found)) == ([], f"its images are not those in data/{next(iter(here.images))}")
    found = choose(of(known), plan, here._replace(models=dict.fromkeys(here.models, "0" * 64)), runs)
    assert (found.runs, len(found.refused)) == ([], 1)
    assert len(choose(of(known), plan, here._replace(images={}), runs).runs) == RUNS  # not normalised yet


def test_a_run_that_was_tested_on_other_images_is_not_taken(
    plan: Plan, here: Here, runs: Path, published: pd.DataFrame, tmp_path: Path
) -> None:
    test = ExtraTest(name="shifted", images_sha256="a" * 64, images=1, loss=None, top1=0.5).model_dump()
    table = published.assign(**{"final.extra_tests": [[test], [], [], []]})
    write_table(table, tmp_path / "tested.parquet")
    for images, taken in (("a", RUNS), ("b", RUNS - 1)):
        there = here._replace(images={**here.images, "shifted": images * 64})
        found = choose(of(tmp_path / "tested.parquet"), plan, there, runs)
        assert len(found.runs) == taken
    assert reasons(found) == "its images are not those in data/shifted"


def test_a_run_that_was_trained_here_or_is_to_be_is_left_alone(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    trained, forced, *others = published["run"]
    (runs / trained).mkdir(parents=True)
    (runs / trained / WEIGHTS).touch()
    found = choose(of(known), plan, here, runs, [forced])
    assert (found.runs, found.refused) == (others, {})


def test_an_edit_of_a_model_of_ones_own_gives_up_what_was_adopted(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopt(choose(of(known), plan, here, runs), plan, runs)
    edited = here._replace(models=dict.fromkeys(here.models, "0" * 64))
    assert choose(of(known), plan, edited, runs).runs == published["run"].tolist()  # it is one of ours
    monkeypatch.setattr("cifarbench.analysis.adopt.needs_file", lambda model: True)
    assert choose(of(known), plan, edited, runs).runs == []


def test_a_knob_that_is_not_known_here_costs_the_run(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    write_table(published.assign(**{"config.later": [0.5, *[None] * (RUNS - 1)]}), known)
    found = choose(of(known), plan, here, runs)
    assert (found.runs, reasons(found)) == (published["run"].tolist()[1:], "config.later is not known here")


def test_times_of_a_busy_machine_are_marked(known: Path, plan: Plan, here: Here, runs: Path) -> None:
    adopt(choose(of(known, times="shared"), plan, here, runs), plan, runs)
    records = [read_record(path) for path in runs.glob(f"*/{RECORD}")]
    assert [record.times for record in records] == ["shared"] * RUNS


def elsewhere(published: pd.DataFrame, **changes: object) -> pd.DataFrame:
    """Return the first run as if it had been trained once more, with one image more right."""
    again = published.iloc[:1].copy()
    images = again["final.test.images"].iloc[0]
    again["final.test.top1"] += 1 / images
    last = [dict(epoch) for epoch in again["epochs"].iloc[0]]
    last[int(again["final.epoch"].iloc[0]) - 1]["test_accuracy"] = again["final.test.top1"].iloc[0]
    again["epochs"] = [last]
    return again.assign(correct=None, **{"finished": "2026-12-01T00:00:00+00:00", **changes})


def test_a_run_that_was_trained_twice_is_shown_as_such(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame, tmp_path: Path
) -> None:
    other = tmp_path / "other.parquet"
    write_table(elsewhere(published), other)
    found = choose(of(known, other), plan, here, runs)
    assert found.runs == published["run"].tolist()
    adopt(found, plan, runs)
    first, *others = (read_record(runs / run / RECORD) for run in found.runs)
    [again] = first.repeated
    assert again.source == str(other)
    step = again.test_accuracy - first.final.test.top1
    assert step == pytest.approx(1 / first.final.test.images)
    assert all(record.repeated == [] for record in others)

    # The same goes for tables put together, and doing so once more changes nothing.
    for _ in range(2):
        both = tmp_path / "both.parquet"
        assert main(["merge", str(both if both.exists() else known), str(other), "--output", str(both)]) == 0
        [[once]] = read_table(both)["repeated"].dropna()
        assert once["finished"] == again.finished


@pytest.mark.parametrize(
    "changes",
    [
        {"finished": None},  # that of the first: the same training, so it was changed
        {"fingerprint.losses": [[9.0] * 3]},
        {"fingerprint.rule": 99},
    ],
)
def test_two_results_of_one_training_contradict_each_other(
    known: Path,
    plan: Plan,
    here: Here,
    runs: Path,
    published: pd.DataFrame,
    tmp_path: Path,
    changes: dict[str, object],
) -> None:
    first = published.iloc[0]
    changes = {name: first["finished"] if value is None else value for name, value in changes.items()}
    if "fingerprint.losses" in changes:
        changes["fingerprint.losses"] = [[9.0] * len(first["fingerprint.losses"])]
    write_table(elsewhere(published, **changes), tmp_path / "other.parquet")
    with pytest.raises(UserError, match=rf"run {first['run']}: test accuracy 0\.\d+ in \S+ and 0\.\d+ in "):
        choose(of(known, tmp_path / "other.parquet"), plan, here, runs)


def test_a_broken_record_of_an_adopted_run_counts_as_missing(
    known: Path, plan: Plan, here: Here, runs: Path, tmp_path: Path
) -> None:
    found = choose(of(known), plan, here, runs)
    adopt(found, plan, runs)
    kept = runs / found.runs[0] / "adopted.json"
    content = json.loads(kept.read_text())
    kept.write_text(json.dumps({**content, "correct": "AAAA"}))
    table = collect(plan, runs, tmp_path / "again.parquet").set_index("run")
    assert table.loc[found.runs[0], "status"] == "missing"
    assert "0 are right" in table.loc[found.runs[0], "last_words"]
