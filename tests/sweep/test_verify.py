"""`cifarbench verify`: recorded runs replayed with the code that is here."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cifarbench.analysis.table import collect, read_table, records_in
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import read_record
from cifarbench.records.verified import VERIFIED, read_verified
from cifarbench.sweep.status import sweep_status
from cifarbench.training import optimizers
from cifarbench.training.losses import LOSSES
from helpers.repository import SMALL
from helpers.training import train

OTHER = "0" * 64


@pytest.fixture(scope="module")
def swept(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """Return a plan and the folder of its results: two configurations, one with two seeds."""
    folder = tmp_path_factory.mktemp("swept")
    runs = [{"seed": [0, 1]}, {"optimizer": "sgd", "learning_rate": 0.01}]
    study = {"name": "study", "title": "A study", "runs": runs}
    plan = make_plan(parse({"title": "Test", "defaults": SMALL, "studies": [study]}))
    for run in plan.runs:
        knobs = ["--seed", str(run.config.seed), "--optimizer", run.config.optimizer]
        train(digits, folder / "runs" / run.id, *knobs, "--learning-rate", str(run.config.learning_rate))
    write_plan(plan, folder / "plan.json")
    return plan, folder


@pytest.fixture
def results(swept: tuple[Plan, Path], tmp_path: Path) -> Path:
    """Return a copy of the results, of which a test may change what it likes."""
    plan, folder = swept
    write_plan(plan, tmp_path / "plan.json")
    for run in plan.runs:
        copy = tmp_path / "runs" / run.id / RECORD
        copy.parent.mkdir(parents=True)
        copy.write_text((folder / "runs" / run.id / RECORD).read_text())
    return tmp_path


def rewrite(results: Path, change: Callable[[dict[str, Any]], object]) -> None:
    for path in results.glob(f"runs/*/{RECORD}"):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def by_others(content: dict[str, Any]) -> None:
    content["code"] |= {"source_sha256": OTHER, "model_sha256": OTHER}


def older(content: dict[str, Any]) -> None:
    by_others(content)
    del content["fingerprint"], content["first_losses"]
    content["schema_version"] = 1


def verify(results: Path, digits: Path, *more: str, code: int = 0) -> None:
    call = ["verify", str(results / "plan.json"), "--data", str(digits.parent), *more]
    try:
        assert main(call) == code
    except SystemExit as stop:
        assert stop.code == code


def stale(results: Path, plan: Plan) -> dict[str, str]:
    return sweep_status(plan, results / "runs").stale


def test_what_trains_the_same_is_not_stale(
    swept: tuple[Plan, Path], results: Path, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, _ = swept
    rewrite(results, by_others)
    assert len(stale(results, plan)) == 3
    verify(results, digits)
    assert capsys.readouterr().out.count("same to the bit (first 10 steps)") == 2  # one for both seeds
    assert stale(results, plan) == {}
    verify(results, digits)
    assert "3 verified before" in capsys.readouterr().out


def test_older_records_repeat_their_first_epoch(
    swept: tuple[Plan, Path],
    results: Path,
    digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan, _ = swept
    rewrite(results, older)
    verify(results, digits)
    assert capsys.readouterr().out.count("same to the bit (first epoch)") == 3
    assert stale(results, plan) == {}
    # Once is enough: after that they have the fingerprint of the code that repeated them.
    monkeypatch.setattr("cifarbench.sweep.verify.by_first_epoch", None)
    verify(results, digits, "--again")
    assert capsys.readouterr().out.count("(fingerprint of what repeated its first epoch to the bit)") == 3
    # And a slip between does not take it away.
    with monkeypatch.context() as slip:
        plain = LOSSES["cross_entropy"]
        slip.setitem(LOSSES, "cross_entropy", lambda *given: 2 * plain(*given))
        verify(results, digits, "--again", code=1)
    assert capsys.readouterr().out.count("differs: loss of step 1") == 3
    verify(results, digits, "--again")
    assert capsys.readouterr().out.count("(fingerprint of what repeated its first epoch to the bit)") == 3


def test_another_machine_compares_fingerprints_only(
    results: Path, digits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rewrite(results, lambda content: content["environment"].update(device_name="Another processor"))
    verify(results, digits)
    assert capsys.readouterr().out.count("same by fingerprint (fingerprint)") == 2
    rewrite(results, older)
    verify(results, digits, code=2)
    said = capsys.readouterr().out
    assert said.count("not replayed: no fingerprint, and its first epoch repeats on like hardware only") == 3
    assert "device Another processor, here " in said


def test_a_changed_line_of_an_optimizer_is_named_with_the_step(
    swept: tuple[Plan, Path],
    results: Path,
    digits: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Adam's second step and those after it go a thousandth too far; SGD is as it was."""

    class Changed(torch.optim.Adam):
        def step(self, closure: None = None) -> None:
            number = {int(state["step"]) for state in self.state.values() if "step" in state}
            for group in self.param_groups:
                group["lr"] *= 1.001 if number and min(number) >= 1 else 1
            super().step(closure)

    kind = optimizers.OPTIMIZERS["adam"]
    monkeypatch.setitem(optimizers.OPTIMIZERS, "adam", type(kind)(**{**vars(kind), "optimizer": Changed}))
    plan, _ = swept
    rewrite(results, by_others)
    verify(results, digits, code=1)
    said = capsys.readouterr().out.splitlines()
    adam = [run.id for run in plan.runs if run.config.optimizer == "adam"]
    (line,) = [line for line in said if "differs" in line and "update of step 2" in line]
    assert line.startswith(", ".join(adam))
    assert stale(results, plan).keys() == set(adam)
    assert all("trains otherwise now: update of step 2" in reason for reason in stale(results, plan).values())


def test_a_table_is_verified_and_its_report_says_so(
    swept: tuple[Plan, Path], results: Path, digits: Path
) -> None:
    plan, _ = swept
    rewrite(results, by_others)
    table = results / "table" / "runs.parquet"
    collect(plan, results / "runs", table)
    assert records_in(read_table(table)) == [
        read_record(results / "runs" / run.id / RECORD) for run in plan.runs
    ]
    assert main(["verify", str(table), "--data", str(digits.parent)]) == 0
    output = results / "report"
    call = ["report", str(results / "plan.json"), str(table), "--output", str(output)]
    assert main(call) == 0
    page = (output / "index.html").read_text()
    assert "3 runs verified: on 20" in page
    assert "same to the bit (first 10 steps)" in page
    assert "stale" not in page
    assert (output / VERIFIED).read_bytes() == (table.parent / VERIFIED).read_bytes()
    # Without it they stand alone, and what lay beside the page is gone.
    (table.parent / VERIFIED).unlink()
    assert main(call) == 0
    assert "3 runs current" in (output / "index.html").read_text()
    assert not (output / VERIFIED).exists()


def test_what_cannot_be_replayed_is_said_and_not_written_down(
    results: Path, digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(results, tmp_path / "none" / "digits", code=2)
    told = capsys.readouterr()
    assert told.out.count("not replayed: ") == 2
    assert "Written to" not in told.out
    assert told.err.endswith("nothing could be replayed, so nothing is verified; each line above says why\n")
    rewrite(results, lambda content: content["data"].update(images_sha256=OTHER))
    verify(results, digits, code=2)
    assert capsys.readouterr().out.count("holds other images than the record's") == 2
    rewrite(results, lambda content: content["config"].update(model="mine"))
    verify(results, digits, code=2)
    assert capsys.readouterr().out.count("model 'mine' is not built in; verify the config that names") == 2
    assert read_verified(results).verifications == []


def test_nothing_to_verify_is_an_error(tmp_path: Path, fails: Callable[..., str]) -> None:
    plan = make_plan(parse({"title": "T", "studies": [{"name": "s", "title": "S", "runs": [{}]}]}))
    write_plan(plan, tmp_path / "plan.json")
    assert "no run has a record, so there is nothing to verify" in fails("verify", tmp_path / "plan.json")
    assert "cannot be read" in fails("verify", tmp_path / "none.parquet")
