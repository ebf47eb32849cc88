"""A bundle trains elsewhere, where PyTorch is all there is, to the bits that it would be at home."""

import argparse
import ast
import shutil
import signal
import sys
import threading
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from packaging.specifiers import SpecifierSet
from safetensors.torch import save_file

from cifarbench.bundle import home, start
from cifarbench.bundle.away import INTERRUPTED, alone, by_name, file, parser, time_limit
from cifarbench.bundle.away import main as away
from cifarbench.bundle.home import most_telling_first
from cifarbench.bundle.task import TASK, Task, positive
from cifarbench.cli.arguments import plan_of
from cifarbench.cli.parser import main
from cifarbench.config.ids import run_id
from cifarbench.data.manifest import IMAGES, MANIFEST
from cifarbench.errors import UserError
from cifarbench.records.folder import CHECKPOINT, LOG, PREDICTIONS, RECORD
from cifarbench.records.record import read_record
from cifarbench.training.stopping import on_stop
from helpers.bare import link_packages
from helpers.bare import start as start_bare
from helpers.repository import REPOSITORY
from helpers.training import content, stop_after_epoch_2

MODEL = """import head

def build(classes):
    return head.build(classes)
"""
HEAD = """from torch import nn

def build(classes):
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(3072, classes))
"""


def write_config(folder: Path, epochs: int = 2, **knobs: object) -> Path:
    (folder / "own.py").write_text(MODEL)
    (folder / "head.py").write_text(HEAD)
    save_file({"2.weight": torch.full((10, 3072), 0.001)}, folder / "start.safetensors")
    shared = {"dataset": "digits", "validation_images": 200, "epochs": epochs, "model": "own", **knobs}
    runs = [
        {"schedule": "multistep", "milestones": [1], "seed": [0, 1]},
        {"initial_weights": "start.safetensors", "epochs": 1, "cuda_graph": False},
    ]
    config = {
        "title": "Elsewhere",
        "models": [{"name": "own", "file": "own.py"}],
        "studies": [{"name": "study", "title": "A study", "defaults": shared, "runs": runs}],
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def bundle(config: Path, digits: Path, output: Path, *flags: object) -> Path:
    call = ["bundle", config, "--output", output, "--data", digits.parent, "--runs", output.parent / "runs"]
    assert main([*map(str, call), *map(str, flags)]) == 0
    return output


def unpack(archive: Path, folder: Path) -> Path:
    zipfile.ZipFile(archive).extractall(folder)
    return folder


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    link_packages(folder, "torch", "numpy")
    return folder


def test_killed_elsewhere_and_going_on_in_another_place_it_trains_to_the_same_bits(
    digits: Path, bare: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, epochs=30)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    archive = bundle(config, digits, first / "away.pyz", "--with-data")
    with start_bare(bare, archive, cwd=first) as running:
        stop_after_epoch_2(running)
    assert running.returncode == INTERRUPTED
    runs = plan_of(config).runs
    assert zipfile.ZipFile(first / "back.zip").namelist() == [
        f"unfinished/{runs[0].id}/{name}" for name in (CHECKPOINT, LOG)
    ]

    second.mkdir()
    for name in ("away.pyz", "back.zip"):
        shutil.move(first / name, second / name)
    with start_bare(bare, "away.pyz", cwd=second) as running:
        said = running.communicate()[0]
    assert running.returncode == 0
    assert said == "3 of 3 runs done; results in back.zip\n"
    back = unpack(second / "back.zip", tmp_path / "back")
    first_of_each = [runs[0].id, runs[2].id, runs[1].id]
    logs = [(back / "runs" / run / LOG).stat().st_mtime_ns for run in first_of_each]
    assert logs == sorted(logs)

    call = ["train", "--model", "own", "--model-file", config.with_name("own.py"), "--data", digits]
    call += ["--validation-images", "200", "--epochs", "30", "--schedule", "multistep", "--milestones", "1"]
    assert main([*map(str, call), "--output", str(tmp_path / "home")]) == 0
    found, here = back / "runs" / runs[0].id, tmp_path / "home"
    assert (found / PREDICTIONS).read_bytes() == (here / PREDICTIONS).read_bytes()
    trained, expected = read_record(found / RECORD), read_record(here / RECORD)
    assert trained.resumptions == 1
    assert trained.environment.versions["pydantic"] == "stand-in"
    environment = trained.environment.model_copy(update={"versions": expected.environment.versions})
    assert content(trained.model_copy(update={"environment": environment})) == content(expected)


def test_every_published_run_has_the_same_id_there(bare: Path, tmp_path: Path) -> None:
    runs = plan_of(REPOSITORY / "config.yaml").runs
    task = Task(title="all", minutes=None, datasets={}, runs=[home.training(run, {}) for run in runs])
    for name, written in home.code():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(written)
    (tmp_path / TASK).write_text(task.model_dump_json())
    program = (
        "import sys; sys.path.insert(0, '.')\n"
        "from cifarbench.bundle.task import Task; from cifarbench.config.ids import run_id\n"
        f"for run in Task.model_validate_json(open('{TASK}').read()).runs: print(run_id(run.config))"
    )
    with start_bare(bare, "-c", program, cwd=tmp_path) as running:
        said, errors = running.communicate()
    assert said.split() == [run.id for run in runs], errors


def test_a_configuration_without_a_seed_goes_before_the_next_seed_of_another(tmp_path: Path) -> None:
    runs = plan_of(write_config(tmp_path)).runs  # two seeds of the first configuration, one of the second
    assert most_telling_first(runs, ()) == [runs[0], runs[2], runs[1]]
    assert most_telling_first(runs, {runs[0].id}) == [runs[2], runs[1]]
    assert most_telling_first(runs, {run.id for run in runs}) == []


def test_what_comes_back_is_adopted_and_left_out_of_the_next_bundle(
    digits: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    config, back, runs = write_config(tmp_path), tmp_path / "back.zip", tmp_path / "runs"
    unpacked = unpack(bundle(config, digits, tmp_path / "all.pyz"), tmp_path / "all")
    assert away(["--data", str(digits), "--output", str(back)], tmp_path / "all.pyz", unpacked) == 0
    assert main(["plan", str(config), "--output", str(tmp_path / "plan.json"), "--runs", str(runs)]) == 0
    adopt = ["adopt", back, "--plan", tmp_path / "plan.json", "--runs", runs, "--data", digits.parent]
    assert main([*map(str, adopt), "--model-file", f"own={tmp_path / 'own.py'}"]) == 0
    ids = [run.id for run in plan_of(config).runs]
    assert [read_record(runs / run / RECORD).adopted is not None for run in ids] == [True] * 3

    call = ["bundle", config, "--data", digits.parent, "--output", tmp_path / "x.pyz", "--runs"]
    assert "nothing left to train" in fails(*call, runs)
    shutil.rmtree(runs / ids[0])
    bundle(config, digits, tmp_path / "rest.pyz")
    task = Task.model_validate_json(zipfile.ZipFile(tmp_path / "rest.pyz").read(TASK))
    assert [run_id(run.config) for run in task.runs] == ids[:1]
    assert "--model: 'owl' has no run" in fails(*call, runs, "--model", "owl")
    shutil.rmtree(runs)
    config.write_text(f"known: [{back}]\n{config.read_text()}")
    assert "nothing left to train" in fails(*call, runs)


def test_seeds_that_only_an_open_question_would_want_are_left_out(digits: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, seed={"from": 3, "to": 8, "until": "decided"})
    config.write_text(config.read_text().replace("    seed:\n    - 0\n    - 1\n", ""))
    assert len(plan_of(config).runs) == 16
    archive = bundle(config, digits, tmp_path / "away.pyz")
    task = Task.model_validate_json(zipfile.ZipFile(archive).read(TASK))
    assert [run.config.seed for run in task.runs] == [0, 0, 1, 1, 2, 2]


def test_a_bundle_carries_the_data_sets_that_are_only_tested_on(digits: Path, tmp_path: Path) -> None:
    data, other = tmp_path / "data", tmp_path / "data" / "other"
    shutil.copytree(digits, data / "digits")
    shutil.copytree(digits, other)
    (other / MANIFEST).write_text((digits / MANIFEST).read_text().replace('"digits"', '"other"', 1))
    config = write_config(tmp_path, extra_tests=[["other"]])
    config.write_text(f"datasets: [{{name: other, format: digits}}]\n{config.read_text()}")
    archive = bundle(config, data / "digits", tmp_path / "away.pyz", "--with-data", "--model", "own")
    unpacked, output = unpack(archive, tmp_path / "unpacked"), tmp_path / "back.zip"
    assert away(["--output", str(output)], archive, unpacked) == 0
    (run, *_) = plan_of(config).runs
    unpack(output, tmp_path / "back")
    assert read_record(tmp_path / "back/runs" / run.id / RECORD).final.extra_tests[0].name == "other"


def test_a_bundle_needs_the_data_set_at_home(tmp_path: Path, fails: Callable[..., str]) -> None:
    call = ["bundle", write_config(tmp_path), "--data", tmp_path / "none", "--output", tmp_path / "away.pyz"]
    assert "make it with `cifarbench normalise`" in fails(*call)
    assert not (tmp_path / "away.pyz").exists()


def test_other_images_are_refused_and_the_right_ones_then_taken(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = bundle(write_config(tmp_path), digits, tmp_path / "away.pyz")
    unpacked, output = unpack(archive, tmp_path / "unpacked"), tmp_path / "back.zip"
    other = tmp_path / "other"
    shutil.copytree(digits, other)
    images = bytearray((other / IMAGES).read_bytes())
    images[-1] ^= 1
    (other / IMAGES).write_bytes(images)
    assert away(["--data", str(other), "--output", str(output)], archive, unpacked) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"away.pyz: error: {other}: its images are not those of the bundle: sha256 is ")
    assert not output.exists()
    assert away(["--data", str(digits), "--output", str(output)], archive, unpacked) == 0


def test_the_time_limit_stops_as_a_signal_does(digits: Path, tmp_path: Path) -> None:
    archive = bundle(write_config(tmp_path), digits, tmp_path / "away.pyz", "--minutes", "7.5")
    task = Task.model_validate_json(zipfile.ZipFile(archive).read(TASK))
    assert parser(task, "away.pyz").parse_args([]).minutes == 7.5
    asked = threading.Event()
    with on_stop(asked.set), time_limit(0.001):
        assert asked.wait(60)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_run_that_fails_does_not_stop_the_others(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, model=["own", "baseline"])
    archive = bundle(config, digits, tmp_path / "away.pyz")
    unpacked, output = unpack(archive, tmp_path / "unpacked"), tmp_path / "back.zip"
    (unpacked / "models/own/head.py").write_text("raise RuntimeError('broken')")
    assert away(["--output", str(output)], archive, unpacked) == 1  # digits are read anew
    # One model is broken, and the weights to start from are not those of the other.
    failed = [
        run.id for run in plan_of(config).runs if run.config.model == "own" or run.config.initial_weights
    ]
    said = capsys.readouterr()
    assert "2 of 6 runs done" in said.out
    assert sorted(said.err.splitlines()) == sorted(f"failed: {run}; its log is in {output}" for run in failed)
    assert "broken" in zipfile.ZipFile(output).read(f"unfinished/{failed[0]}/{LOG}").decode()


def test_two_processes_do_not_share_an_output(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(UserError, match="another process trains there"), alone(tmp_path):
        pass


def test_data_is_given_by_name_where_there_are_several(tmp_path: Path) -> None:
    one, two = {"cifar10": None}, dict.fromkeys(["cifar10", "digits"])
    assert by_name([str(tmp_path)], one) == {"cifar10": tmp_path}
    assert by_name([f"digits={tmp_path}", f"cifar10={tmp_path}"], two) == dict.fromkeys(two, tmp_path)
    with pytest.raises(UserError, match="of which data set"):
        by_name([str(tmp_path)], two)
    with pytest.raises(UserError, match="does not exist"):
        by_name([f"digits={tmp_path}/none"], two)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "soon"])
def test_a_time_limit_is_a_number_above_zero(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="number above 0"):
        positive(text)


@pytest.mark.parametrize("text", [".", "/", "..", "tests"])
def test_what_comes_back_is_a_file(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    with pytest.raises(argparse.ArgumentTypeError, match="it must be a file"):
        file(text)


def test_an_old_python_or_pytorch_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert start.fault() is None
    monkeypatch.setattr(start, "TORCH", (99, 0))
    assert str(start.fault()).startswith("needs PyTorch 99.0 or later; this is 2.")
    monkeypatch.setattr(start, "find_spec", lambda package: None)
    assert "torch is not installed" in str(start.fault())
    monkeypatch.setattr(start, "PYTHON", (99, 0))
    here = ".".join(map(str, sys.version_info[:2]))
    assert start.fault() == f"needs Python 99.0 or later; this is {here}"
    ast.parse(Path(start.__file__).read_text(), feature_version=(3, 6))


def test_what_a_bundle_needs_is_what_the_package_needs() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={start.shown(start.PYTHON)}"
    (torch,) = (text for text in project["dependencies"] if text.startswith("torch>"))
    assert SpecifierSet(torch.removeprefix("torch")) == SpecifierSet(f">={start.shown(start.TORCH)}")
