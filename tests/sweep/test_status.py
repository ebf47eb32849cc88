"""How a sweep stands, from files alone."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.config.flags import flags
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.heartbeat import HEARTBEAT, SILENT_SECONDS
from cifarbench.records.record import Record
from cifarbench.sweep.status import RecordCache, Status, run_status, sweep_status
from cifarbench.sweep.view import BLOCKS, CURVE_WIDTH, sparkline, view, watch
from cifarbench.words import duration
from helpers.repository import SMALL
from helpers.synthetic import record

OUT_OF_MEMORY = (
    'Traceback (most recent call last):\n  File "x.py", line 1\nRuntimeError: no memory\nat layer 3\n'
)
STOPPED = (
    "12:00:00 epoch    2  lr\ncifarbench train: stopped and saved; the same command goes on from there\n"
)


def made_now(plan: Plan, position: int, status: str = "completed") -> Record:
    """Return a made-up record that is not stale."""
    made = record(plan, position, status)
    return made.model_copy(
        update={"code": made.code.model_copy(update={"source_sha256": training_source_hash()})}
    )


def write_files(folder: Path, files: dict[str, str], seconds_ago: float = 0) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        then = time.time() - seconds_ago
        os.utime(path, (then, then))


@pytest.mark.parametrize(
    ("files", "seconds_ago", "state"),
    [
        ({}, 0, "waiting"),
        ({"train.log": "", "heartbeat": "node7"}, 0, "running"),
        ({"train.log": ""}, 0, "running"),
        ({"train.log": ""}, SILENT_SECONDS + 1, "failed"),
        ({"train.log": "epoch    2  lr", "heartbeat": "node7"}, SILENT_SECONDS + 1, "failed"),
        ({"train.log": "epoch    2  lr", "checkpoint.pt": "", "heartbeat": ""}, 1000, "interrupted"),
        ({"train.log": STOPPED, "checkpoint.pt": ""}, 0, "interrupted"),
        ({"train.log": "Traceback\nKeyboardInterrupt\n"}, 0, "interrupted"),
        ({"train.log": OUT_OF_MEMORY, "checkpoint.pt": ""}, 0, "failed"),
        ({"train.log": "cifarbench train: error: batch_size: too much"}, 0, "failed"),
        ({"metrics.json": "{}"}, 0, "failed"),
        ({"packed/train.log": "epoch    1  lr", "heartbeat": ""}, 0, "running"),
        ({"packed/train.log": OUT_OF_MEMORY}, 1000, "waiting"),
        ({"packed/checkpoint.pt": "", "packed/train.log": ""}, 1000, "interrupted"),
    ],
)
def test_the_state_of_a_run_without_a_record(
    tmp_path: Path, files: dict[str, str], seconds_ago: float, state: str
) -> None:
    write_files(tmp_path, files, seconds_ago)
    assert run_status(tmp_path, RecordCache()).state == state


def test_a_failure_has_its_reason_and_its_last_words(tmp_path: Path) -> None:
    write_files(tmp_path, {"train.log": "x" * 9999 + "\n" + OUT_OF_MEMORY})
    facts = run_status(tmp_path, RecordCache())
    assert (facts.reason, facts.last_line) == ("RuntimeError: no memory", "at layer 3")


@pytest.fixture
def sweep(tmp_path: Path) -> Plan:
    """Two studies that share two runs, with a run in each state."""
    rates = {"learning_rate": [0.001, 0.002, 0.003], "epochs": 4}
    studies = [
        {"name": "rates", "title": "R", "runs": [{**rates, "seed": [0, 1]}]},
        {"name": "seeds", "title": "S", "runs": [{"epochs": 4, "seed": [0, 1]}]},
    ]
    plan = make_plan(parse({"title": "A sweep", "studies": studies}))
    write_plan(plan, tmp_path / "results/plan.json")
    files = [
        {"metrics.json": made_now(plan, 0).model_dump_json()},
        {"metrics.json": made_now(plan, 1, "diverged").model_dump_json()},
        {"train.log": "12:00:00 epoch    1  lr 0.1", HEARTBEAT: "node7"},
        {"train.log": STOPPED, "checkpoint.pt": ""},
        {"train.log": OUT_OF_MEMORY},
        {},
    ]
    for run, content in zip(plan.runs, files, strict=True):
        write_files(tmp_path / "results/runs" / run.id, content)
    return plan


def look(plan: Plan, folder: Path) -> Status:
    return sweep_status(plan, folder / "results/runs")


def test_each_study_counts_its_runs_and_the_time_left(sweep: Plan, tmp_path: Path) -> None:
    status = look(sweep, tmp_path)
    each = {"done": 1, "running": 1, "waiting": 1, "interrupted": 1, "diverged": 1, "failed": 1, "stale": 0}
    assert status.counts(sweep.studies[0].runs) == each
    assert status.counts(sweep.studies[1].runs) == {**dict.fromkeys(each, 0), "done": 1, "diverged": 1}
    # An epoch takes 5 seconds of training and 1 (of the first record) or 0.25 beside it, the median of which
    # counts; 3 of 4 epochs are left of the running run, 2 of the interrupted one, 4 of the waiting one.
    assert status.seconds_left == pytest.approx((3 + 2 + 4) * 5.625)
    assert status.unknown == 0


def test_text_and_json_say_why_and_how_to_go_on(
    sweep: Plan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = sweep.runs[4].id
    retry = f"snakemake --cores all results/runs/{failed}/metrics.json --directory {tmp_path}"
    plan = str(tmp_path / "results/plan.json")
    assert main(["status", plan]) == 0
    text = capsys.readouterr().out
    assert [line.split() for line in text.splitlines()[2:4]] == [
        ["rates", *"61111110"],
        ["seeds", *"21000100"],
    ]
    assert f"failed {failed}: RuntimeError: no memory" in text
    assert "its log ends: at layer 3" in text
    assert f"running {sweep.runs[2].id}: epoch 1 of 4 done on node7" in text
    assert text.splitlines()[-1].strip() == retry
    assert main(["status", plan, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["retry"] == retry
    assert facts["studies"]["seeds"]["diverged"] == 1
    assert facts["runs"][failed]["reason"] == "RuntimeError: no memory"
    assert facts["runs"][sweep.runs[0].id] == {
        "state": "done",
        "epochs": 4,
        "machine": None,
        "reason": None,
        "last_line": None,
        "stale": None,
    }


def test_a_config_names_itself_in_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("{studies: [{name: a, title: A, runs: [{}]}]}")
    [run] = make_plan(parse({"studies": [{"name": "a", "title": "A", "runs": [{}]}]})).runs
    write_files(Path("results/runs", run.id), {"train.log": OUT_OF_MEMORY})
    assert main(["status", "mine.yaml"]) == 0
    last = capsys.readouterr().out.splitlines()[-1].strip()
    assert last == f"snakemake --cores all results/runs/{run.id}/metrics.json --configfile mine.yaml"


def test_records_of_other_sources_are_stale(sweep: Plan, tmp_path: Path) -> None:
    run = sweep.runs[0]
    write_files(tmp_path / "results/runs" / run.id, {"metrics.json": record(sweep, 0).model_dump_json()})
    status = look(sweep, tmp_path)
    assert list(status.stale) == [run.id]
    assert status.stale[run.id].startswith("training sources cccccccc, ")
    assert status.counts(sweep.studies[1].runs)["stale"] == 1


def test_watching_draws_the_curve_of_what_runs(sweep: Plan, tmp_path: Path) -> None:
    line = "12:00:00 epoch {:4d}  lr 0.1  train loss 1.0 acc {}  validation acc {}  test acc 0.9999  1.00 s\n"
    log = "".join(
        line.format(n, "0.1000", value) for n, value in enumerate(("0.2000", "0.5500", "0.9000"), 1)
    )
    folder = tmp_path / "results/runs" / sweep.runs[2].id
    write_files(folder, {"train.log": log, "heartbeat": "node7"})
    assert run_status(folder, RecordCache()).curve == (0.2, 0.55, 0.9)
    out = StringIO()
    Console(file=out, width=120).print(view(look(sweep, tmp_path), 5, curves=True))
    assert f"{BLOCKS[0]}{BLOCKS[4]}{BLOCKS[7]} accuracy 0.9000" in out.getvalue()
    write_files(folder, {"train.log": line.format(1, "0.3000", "   -  "), "heartbeat": "node7"})
    assert run_status(folder, RecordCache()).curve == (0.3,)  # in training, where nothing is held out


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.5), tuple(n / 100 for n in range(100))])
def test_a_sparkline_has_a_block_for_each_of_the_last_values(values: tuple[float, ...]) -> None:
    drawn = sparkline(values)
    assert len(drawn) == min(len(values), CURVE_WIDTH)
    assert drawn[0] == BLOCKS[0] and drawn[-1] == (BLOCKS[7] if values[-1] > values[0] else BLOCKS[0])


def test_watching_ends_when_nothing_is_left(sweep: Plan, tmp_path: Path) -> None:
    looks = []

    def one_run_further() -> Status:
        """Look, with one more of the three runs that are left trained each time."""
        for position in (2, 3, 5)[: len(looks)]:
            folder = tmp_path / "results/runs" / sweep.runs[position].id
            write_files(folder, {"metrics.json": made_now(sweep, position).model_dump_json()})
        looks.append(look(sweep, tmp_path))
        return looks[-1]

    out = StringIO()
    watch(one_run_further, Console(file=out, force_terminal=True, width=120), seconds=0)
    assert [len(status.ids("done")) for status in looks] == [1, 2, 3, 4]
    assert "Nothing is left to train, but for what failed." in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(89, "89 s"), (90, "2 min"), (5399, "90 min"), (5400, "1.5 h")]
)
def test_a_duration_has_a_fitting_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_wrong_call_is_one_line(sweep: Plan, tmp_path: Path, fails: Callable[..., str]) -> None:
    plan = tmp_path / "results/plan.json"
    assert "--watch needs a terminal" in fails("status", plan, "--watch")
    assert "none.json: cannot be read" in fails("status", tmp_path / "none.json")
    plan.write_text("{}")
    assert "plan.json.title: missing" in fails("status", plan)


def test_a_real_training_runs_and_is_interrupted_when_killed(digits: Path, tmp_path: Path) -> None:
    plan = make_plan(parse({"studies": [{"name": "a", "title": "A", "runs": [{**SMALL, "epochs": 10**4}]}]}))
    folder = tmp_path / "results/runs" / plan.runs[0].id
    folder.mkdir(parents=True)
    call = ["train", "--data", str(digits), "--output", str(folder), "--checkpoint-minutes", "0.01"]
    with (folder / "train.log").open("w") as log:
        training = subprocess.Popen(
            [sys.executable, "-m", "cifarbench", *call, *flags(plan.runs[0].config)], stderr=log
        )
    until = time.monotonic() + 60
    while look(plan, tmp_path).runs[plan.runs[0].id].epochs < 1 or not (folder / "checkpoint.pt").exists():
        assert look(plan, tmp_path).ids("running") and time.monotonic() < until
        time.sleep(0.05)
    assert look(plan, tmp_path).runs[plan.runs[0].id].machine == os.uname().nodename
    training.kill()
    training.wait()
    then = time.time() - SILENT_SECONDS
    os.utime(folder / HEARTBEAT, (then, then))
    assert look(plan, tmp_path).ids("interrupted") == [plan.runs[0].id]
