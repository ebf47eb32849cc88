import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

import cifarbench
from cifarbench.cli.parser import main
from cifarbench.data.manifest import IMAGES
from cifarbench.errors import UserError
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import Record, read_record
from cifarbench.use.runs import choose

Fails = Callable[..., str]


@pytest.fixture
def pictures(digits: Path, tmp_path: Path) -> Path:
    """Return a folder with the first three test images: grey, a palette, and far larger than needed."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    images = load_file(digits / IMAGES)["test_images"]
    grey = [Image.fromarray(image[0]) for image in images[:3]]
    grey[0].save(folder / "0-grey.png")
    grey[1].convert("P").save(folder / "1-palette.gif")
    grey[2].convert("RGB").resize((640, 640), Image.Resampling.NEAREST).save(folder / "2-large.bmp")
    return folder


def classified(capsys: pytest.CaptureFixture[str], *call: object) -> dict[str, object]:
    assert main(["classify", *map(str, call), "--json"]) == 0
    answer: dict[str, object] = json.loads(capsys.readouterr().out)
    return answer


def rewrite(run: Path, **changes: object) -> None:
    record = read_record(run / RECORD).model_dump(mode="json")
    for place, value in changes.items():
        *path, last = place.split("__")
        part = record
        for key in path:
            part = part[key]
        part[last] = value
    (run / RECORD).write_text(Record.model_validate(record).model_dump_json())


@pytest.fixture
def copy(runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(runs, tmp_path / "runs"))


@pytest.mark.parametrize("run", ["lenet5", "baseline"])
def test_test_images_are_seen_as_the_training_saw_them(runs: Path, digits: Path, run: str) -> None:
    predictor = cifarbench.predictor(run, runs)
    images = load_file(digits / IMAGES)["test_images"]
    probabilities = predictor.probabilities(predictor.filtered(images))
    saved = load_file(runs / run / PREDICTIONS)
    assert np.array_equal(probabilities.argmax(1), saved["predicted"])
    np.testing.assert_allclose(probabilities.max(1), saved["probability"], atol=1e-5)
    assert predictor.classes == list("0123456789")


def test_pictures_of_any_kind_and_size_get_the_answer_of_the_record(
    runs: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = classified(capsys, pictures, "--runs", runs, "--run", "all", "--top", "1")
    for run in ("lenet5", "baseline"):
        saved = load_file(runs / run / PREDICTIONS)
        name = read_record(runs / run / RECORD).run
        for position, picture in enumerate(answer["pictures"]):
            ((said, probability),) = picture["runs"][name].items()
            assert said == str(saved["predicted"][position])
            assert probability == pytest.approx(saved["probability"][position], abs=0.01)
    votes = [sum(picture["agreement"].values()) for picture in answer["pictures"]]
    assert votes == [2, 2, 2]


def test_folders_globs_and_standard_input_name_pictures(
    runs: Path, pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (pictures / ".thumbnails").mkdir()
    (pictures / ".thumbnails" / "hidden.png").write_bytes(b"no picture")
    content = (pictures / "0-grey.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    answer = classified(
        capsys, "-", f"{pictures}/[01]*.*", pictures, "--runs", runs, "--run", "lenet5", "--top", "10"
    )
    names = [Path(picture["picture"]).name for picture in answer["pictures"]]
    assert names == ["-", "0-grey.png", "1-palette.gif", "0-grey.png", "1-palette.gif", "2-large.bmp"]
    shares = [next(iter(picture["runs"].values())) for picture in answer["pictures"]]
    assert shares[0] == shares[1] and sum(shares[0].values()) == pytest.approx(1)


def test_the_lines_say_class_share_and_agreement(
    runs: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["classify", str(pictures / "0-grey.png"), "--runs", str(runs), "--run", "all", "--top", "2"]
    assert main(call) == 0
    picture, first, second, votes = capsys.readouterr().out.splitlines()
    assert picture.endswith("0-grey.png")
    assert first.split()[0].startswith("baseline") and second.split()[0].startswith("lenet5")
    assert first.count("%") == second.count("%") == 2
    assert votes.startswith("  of 2 runs, ")


def test_what_is_no_picture_is_named_and_the_others_are_done(
    runs: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pictures / "notes.txt").write_text("no picture")
    gone = pictures / "gone.png"
    assert main(["classify", str(gone), str(pictures), "--runs", str(runs), "--run", "lenet5"]) == 2
    out, err = capsys.readouterr()
    assert sum(line.endswith((".png", ".gif", ".bmp")) for line in out.splitlines()) == 3
    first, second = err.splitlines()
    assert first == f"cifarbench classify: error: {gone}: cannot be read: No such file or directory"
    assert second.startswith(f"{pictures}/notes.txt: is no image that can be read")


def test_best_is_chosen_by_validation_accuracy_alone(copy: Path) -> None:
    better = {"final__validation__top1": 0.9, "final__test__top1": 0.1}
    rewrite(copy / "lenet5", **better)
    rewrite(copy / "baseline", final__validation__top1=0.8, final__test__top1=1.0)
    assert [trained.folder.name for trained in choose(copy, ["best"])] == ["lenet5"]
    rewrite(copy / "lenet5", final__chosen_by="best_test")
    assert [trained.folder.name for trained in choose(copy, ["best", "baseline"])] == ["baseline"]


def test_runs_without_weights_are_told_of(
    copy: Path, pictures: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (copy / "lenet5" / WEIGHTS).unlink()
    rewrite(copy / "lenet5", final__validation__top1=0.99)
    assert [trained.folder.name for trained in choose(copy, ["best"])] == ["baseline"]
    assert f"1 run without {WEIGHTS} left out; train the best with `cifarbench train --denoise" in caplog.text


def test_runs_of_several_data_sets_are_not_ranked_together(copy: Path) -> None:
    rewrite(copy / "lenet5", data__name="letters")
    with pytest.raises(UserError, match=r"are of several \(digits, letters\); choose one"):
        choose(copy, ["all"])
    assert [trained.folder.name for trained in choose(copy, ["all"], "letters")] == ["lenet5"]
    with pytest.raises(UserError, match=r"no run .* on 'digit'; did you mean 'digits'"):
        choose(copy, ["best"], "digit")


def test_an_older_record_takes_mean_and_deviation_from_the_data(copy: Path, digits: Path) -> None:
    images = load_file(digits / IMAGES)["test_images"][:4]
    newer = cifarbench.predictor("lenet5", copy, "nowhere")
    rewrite(copy / "lenet5", data__mean=None, data__std=None)
    older = cifarbench.predictor("lenet5", copy, digits.parent)
    np.testing.assert_array_equal(older.probabilities(images), newer.probabilities(images))
    rewrite(copy / "lenet5", data__images_sha256="0" * 64)
    with pytest.raises(UserError, match="is not the data that run"):
        cifarbench.predictor("lenet5", copy, digits.parent)


def test_a_run_that_cannot_be_used_says_what_to_do(copy: Path, pictures: Path, fails: Fails) -> None:
    def error(*flags: object) -> str:
        return fails("classify", pictures, "--runs", copy, *flags)

    assert "run: 'lenet' has no record" in error("--run", "lenet")
    assert "did you mean 'lenet5'?" in error("--run", "lenet")
    assert fails("classify", pictures, "--runs", pictures).endswith("or name another folder with --runs")
    assert "gone*: there is no picture" in fails("classify", "gone*", "--runs", copy)
    assert "download the picture" in fails("classify", "https://example.org/cat.jpg", "--runs", copy)
    (copy / "lenet5" / WEIGHTS).unlink()
    assert "has no weights.safetensors" in error("--run", "lenet5")
    assert "`cifarbench train --" in error("--run", "lenet5")
    rewrite(copy / "baseline", status="diverged")
    assert "diverged" in error("--run", "baseline")
    assert "holds no trained run" in error("--run", "best")
    assert "`cifarbench train --denoise median" in error("--run", "best")


def test_weights_that_are_broken_or_of_another_model_are_refused(
    copy: Path, pictures: Path, fails: Fails
) -> None:
    (copy / "lenet5" / WEIGHTS).write_bytes(b"broken")
    assert "cannot be read" in fails("classify", pictures, "--runs", copy, "--run", "lenet5")
    shutil.copy(copy / "baseline" / WEIGHTS, copy / "lenet5" / WEIGHTS)
    assert "does not fit model 'lenet5'" in fails("classify", pictures, "--runs", copy, "--run", "lenet5")
