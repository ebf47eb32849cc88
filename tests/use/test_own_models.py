"""Runs of models from files of the user's own, wherever trained models are used."""

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import cifarbench
from cifarbench.cli.parser import main
from cifarbench.data.manifest import IMAGES
from cifarbench.records.evaluated import read_all_evaluated
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import read_record
from cifarbench.use.runs import Trained, choose
from helpers.repository import REPOSITORY
from helpers.training import train

Fails = Callable[..., str]
PATCHES = REPOSITORY / "examples/own-model/patches.py"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return two models by name; the weights of one fit the other, which would say something else."""
    folder = tmp_path_factory.mktemp("models")
    text = PATCHES.read_text()
    texts = {"patches": text, "squares": text.replace("nn.GELU()", "nn.Hardswish()")}
    for name, content in texts.items():
        (folder / f"{name}.py").write_text(content)
    return {name: folder / f"{name}.py" for name in texts}


@pytest.fixture(scope="module")
def own(digits: Path, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of runs: one of each file, and one of a built-in model."""
    folder = tmp_path_factory.mktemp("own") / "runs"
    for name, file in files.items():
        train(digits, folder / name, "--model", name, "--model-file", str(file))
    train(digits, folder / "lenet5")
    return folder


def naming(files: dict[str, Path]) -> list[str]:
    return [part for file in files.values() for part in ("--model-file", str(file))]


@pytest.fixture
def picture(digits: Path, tmp_path: Path) -> Path:
    Image.fromarray(load_file(digits / IMAGES)["test_images"][0][0]).save(tmp_path / "first.png")
    return tmp_path / "first.png"


def test_each_run_finds_its_file(
    own: Path, files: dict[str, Path], picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["classify", str(picture), "--runs", str(own), "--run", "all", "--json", "--top", "1"]
    assert main([*call, *naming(files)]) == 0
    (answer,) = json.loads(capsys.readouterr().out)["pictures"]
    assert len(answer["runs"]) == 3
    for trained in choose(own, ["all"]):
        saved = load_file(trained.folder / PREDICTIONS)
        ((said, probability),) = answer["runs"][trained.record.run].items()
        assert said == str(saved["predicted"][0])
        assert probability == pytest.approx(saved["probability"][0], abs=1e-4)


def test_a_notebook_and_the_app_take_the_file(
    own: Path, files: dict[str, Path], picture: Path, digits: Path
) -> None:
    from cifarbench.use.app import App

    predictor = cifarbench.predictor("squares", own, model_file=str(files["squares"]))
    share = predictor([picture]).max()
    assert share == pytest.approx(load_file(own / "squares" / PREDICTIONS)["probability"][0], abs=1e-4)
    app = App(choose(own, ["squares", "lenet5"]), digits.parent, list(files.values()))
    assert f'"share">{share:.1%}<' in app.classify(str(picture), list(app.runs))


def test_it_is_exported_and_its_weights_are_evaluated(
    own: Path, files: dict[str, Path], digits: Path, tmp_path: Path
) -> None:
    where = ["--runs", str(own), "--data", str(digits.parent)]
    call = ["export", "--run", "squares", *where, "--output", str(tmp_path / "out"), *naming(files)]
    assert main(call) == 0
    assert "# squares on digits" in (tmp_path / "out" / "README.md").read_text()
    weights = ["--weights", str(own / "squares" / WEIGHTS), "--output", str(tmp_path / "evaluated/one")]
    model = ["--model", "squares", "--model-file", str(files["squares"])]
    assert main(["evaluate", *weights, *model, "--data", str(digits)]) == 0
    trained = read_record(own / "squares" / RECORD)
    assert read_all_evaluated(tmp_path / "evaluated")[0].test.confusion == trained.final.test.confusion


@pytest.mark.parametrize("verb", ["classify", "app", "export"])
def test_without_its_file_no_run_is_used(
    own: Path, files: dict[str, Path], picture: Path, digits: Path, tmp_path: Path, fails: Fails, verb: str
) -> None:
    more = {"classify": [picture], "app": [], "export": ["--output", tmp_path / "out"]}[verb]
    call = [verb, *more, "--runs", own, "--data", digits.parent, "--run", "squares"]
    told = "model: 'squares' is from a file of your own; name its file with --model-file"
    assert told in fails(*call)
    other = files["patches"]
    assert f"model: 'squares' is not from {other} as it is today" in fails(*call, "--model-file", other)
    assert "none.py: cannot be read as a model" in fails(*call, "--model-file", "none.py")


def test_no_model_of_ones_own_has_the_name_of_a_built_in_one(
    files: dict[str, Path], digits: Path, tmp_path: Path, fails: Fails
) -> None:
    call = ["--model-file", files["patches"], "--data", digits, "--output", tmp_path / "out"]
    assert "'lenet5' is built in, not from" in fails("train", *call)
    assert "'lenet5' is built in, not from" in fails("evaluate", "--weights", "theirs.pt", *call)
    assert not (tmp_path / "out").exists()


def test_the_command_for_weights_that_are_not_there_makes_them(
    own: Path, files: dict[str, Path], digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data").symlink_to(digits.parent)
    shutil.copytree(own / "squares", "squares")
    Path("squares", WEIGHTS).unlink()
    command = Trained(Path("squares"), read_record(Path("squares", RECORD))).training_command
    _, *call = shlex.split(command.replace("FILE", str(files["squares"])))
    assert main(call) == 0
    np.testing.assert_equal(load_file(Path("squares", WEIGHTS)), load_file(own / "squares" / WEIGHTS))
