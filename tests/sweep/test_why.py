"""Why runs would be trained, as the real `snakemake --dry-run` has it; the records are made up, for speed."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import locate, parse
from cifarbench.config.reading import read
from cifarbench.data.manifest import Manifest
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import ExtraTest
from cifarbench.sweep.why import reason
from helpers.repository import REPOSITORY
from helpers.synthetic import record

BEFORE, THEN, NOW = 1_700_000_000, 1_750_000_000, 1_760_000_000  # data made, trained, changed
SMALL = {"validation_images": 200, "dataset": "digits"}


def plan_of(folder: Path, runs: list[dict[str, object]]) -> Plan:
    """Write the config of these runs and return their plan."""
    shutil.copytree(REPOSITORY / "examples/own-model", folder / "own", dirs_exist_ok=True)
    content = {
        "datasets": [{"name": "more", "format": "digits"}],
        "models": [{"name": "patches", "file": str(folder / "own/patches.py")}],
        "studies": [{"name": "a", "title": "A", "runs": [{**SMALL, **run} for run in runs]}],
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return make_plan(locate(parse(read(path)), [folder]))


def write(path: Path, content: str, when: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (when, when))


def write_data(folder: Path, name: str, when: int) -> None:
    facts = {"format": "digits", "source_sha256": "", "images_sha256": "9" * 64, "classes": ["a"]}
    counts = {"train_images": [1], "test_images": [1], "test_was_drawn": False}
    manifest = Manifest(name=name, **facts, **counts, mean=[0] * 3, std=[1] * 3)
    write(folder / "data" / name / "manifest.json", manifest.model_dump_json(), when)
    write(folder / "data" / name / "images.safetensors", "", BEFORE)


def write_result(folder: Path, plan: Plan, position: int, sources: str) -> None:
    made = record(plan, position)
    made = made.model_copy(update={"code": made.code.model_copy(update={"source_sha256": sources})})
    for name in (RECORD, WEIGHTS, PREDICTIONS):
        write(folder / "results/runs" / made.run / name, made.model_dump_json(), THEN)


def test_each_run_that_would_be_trained_has_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = plan_of(tmp_path, [{"learning_rate": 0.002}])
    write_result(tmp_path, old, 0, training_source_hash())
    plan = plan_of(
        tmp_path,
        [
            {"seed": [0, 1, 2]},
            {"model": "patches"},
            {"dataset": "more"},
            {"learning_rate": 0.003},
            {"seed": 2, "epochs": 20},
        ],
    )
    for position in (0, 2, 3, 4):
        write_result(tmp_path, plan, position, "c" * 64 if position == 0 else training_source_hash())
    write_data(tmp_path, "digits", BEFORE)
    write_data(tmp_path, "more", NOW)
    os.utime(tmp_path / "own/patches.py", (NOW, NOW))

    runs = ["--runs", str(tmp_path / "results/runs")]
    assert main(["plan", str(tmp_path / "config.yaml"), "--why", *runs]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = dict(
        line.strip().split(": ", 1) for line in lines[lines.index("5 of 7 runs would be trained:") + 1 :]
    )
    ids = [run.id for run in plan.runs]
    assert {run: text for run, text in said.items() if run in ids} == {
        ids[3]: f"model file changed: {tmp_path}/own/patches.py",
        ids[4]: "data changed: images bbbbbbbb -> 99999999",
        ids[5]: f"config changed: learning_rate 0.002 -> 0.003 (against {old.runs[0].id})",
        ids[1]: "no record yet",
        ids[6]: f"no record yet: epochs 10 -> 20 (against {ids[2]})",
    }
    assert "training sources cccccccc" in said["1 done run"]
    assert "that alone trains nothing again" in said["1 done run"]

    made = record(plan, 0)
    test = ExtraTest(name="more", images_sha256="a" * 64, images=1, loss=None, top1=0)
    made.final.extra_tests.append(test)
    trigger = "Updated input files: data/more/manifest.json"
    text = reason(plan.runs[0], trigger, plan, {ids[0]: made}, tmp_path)
    assert text == "data changed: images of 'more' aaaaaaaa -> 99999999"
    trigger = "Input files updated by another job: data/more/manifest.json"
    text = reason(plan.runs[0], trigger, plan, {ids[0]: made}, tmp_path)
    assert text == "data set 'more' is normalised first; trained only if that changes its manifest"

    trigger = "Input files updated by another job: data/digits/manifest.json"
    text = reason(plan.runs[0], trigger, plan, {ids[0]: record(plan, 0)}, tmp_path)
    assert text == "data set 'digits' is normalised first; trained only if that changes its manifest"


def test_what_snakemake_refuses_is_one_line(
    tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--why needs a config in a file" in fails("plan", "-", "--why")
    config = tmp_path / "config.yaml"
    dataset = {"name": "mine", "format": "folder", "source": "none.zip"}
    study = {"name": "a", "title": "A", "runs": [{"dataset": "mine"}]}
    config.write_text(yaml.safe_dump({"datasets": [dataset], "studies": [study]}))
    here = tmp_path / "here"  # has the data, but is not where the runs are
    (here / "data/mine").mkdir(parents=True)
    (here / "data/mine/manifest.json").touch()
    monkeypatch.chdir(here)
    line = fails("plan", config, "--why", "--runs", tmp_path / "results/runs")
    assert "snakemake --dry-run stops: " in line
    assert "dataset 'mine': source 'none.zip' is not there; set it to what is" in line
