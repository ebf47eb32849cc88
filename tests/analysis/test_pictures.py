"""Which test images are shown: the hardest and the disputed ones, of the very data that runs trained on."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from cifarbench.analysis.pictures import COLUMNS, Voter, disputed, hardest, vote
from cifarbench.analysis.table import collect, read_parquet, read_table
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.config.flags import flags
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from helpers.repository import SMALL


def voter(answers: list[int], confidence: list[float]) -> Voter:
    return Voter("key", np.array(answers), np.array(confidence))


def test_the_hardest_are_wrong_most_often_then_most_surely() -> None:
    labels, wrong = np.array([0, 0, 0, 0]), np.array([0.5, 1.0, 1.0, 0.0])
    voters = [voter([1, 1, 1, 0], [0.9, 0.4, 0.8, 0.9]), voter([0, 2, 1, 0], [0.9, 0.3, 0.2, 0.9])]
    assert hardest(voters, labels, wrong) == [2, 1, 0]


def test_each_pair_of_voters_brings_what_it_disagrees_on() -> None:
    voters = [
        voter([0, 0, 0, 0], [0.9, 0.8, 0.7, 0.6]),
        voter([0, 0, 1, 1], [0.9, 0.9, 0.9, 0.9]),
        voter([0, 5, 0, 0], [0.1, 0.1, 0.1, 0.1]),
    ]
    assert disputed(voters) == [2, 3, 1]
    assert disputed(voters[:1]) == []


@pytest.fixture(scope="module")
def trained(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path]:
    """Two configurations, trained for an epoch on digits, collected."""
    folder = tmp_path_factory.mktemp("pictures")
    runs = [{**SMALL, "learning_rate": [0.001, 0.003]}]
    plan = make_plan(parse({"studies": [{"name": "s", "title": "S", "runs": runs}]}))
    for run in plan.runs:
        output = ["--output", str(folder / "runs" / run.id)]
        assert main(["train", "--data", str(digits), *output, *flags(run.config)]) == 0
    write_plan(plan, folder / "plan.json")
    collect(plan, folder / "runs", folder / "runs.parquet")
    return plan, folder


def call(folder: Path, data: Path) -> int:
    files = [str(folder / "plan.json"), str(folder / "runs.parquet")]
    output = str(folder / "pictures.parquet")
    return main(["pictures", *files, "--runs", str(folder / "runs"), "--data", str(data), "--output", output])


def test_pictures_are_of_the_test_images_with_what_was_predicted(
    trained: tuple[Plan, Path], digits: Path
) -> None:
    plan, folder = trained
    assert call(folder, digits.parent) == 0
    pictures = read_parquet(folder / "pictures.parquet", "cifarbench pictures")
    assert list(pictures) == COLUMNS
    assert pictures["image"].is_unique
    first = pictures.iloc[0]
    assert first["wrong"] == pictures["wrong"].max() > 0
    with safe_open(digits / "images.safetensors", framework="np") as file:
        images, labels = file.get_tensor("test_images"), file.get_tensor("test_labels")
    shown = np.asarray(Image.open(io.BytesIO(first["png"])))
    assert (shown == images[first["image"]].transpose(1, 2, 0)).all()
    assert first["label"] == labels[first["image"]]
    assert set(first["configurations"]) == {run.configuration for run in plan.runs}
    wrong = sum(answer != first["label"] for answer in first["answers"]) / 2
    assert first["wrong"] == wrong


def test_no_image_is_shown_without_the_data_or_of_other_data(
    trained: tuple[Plan, Path], digits: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, folder = trained
    assert call(folder, tmp_path / "nowhere") == 0
    assert read_parquet(folder / "pictures.parquet", "cifarbench pictures").empty
    (tmp_path / "digits").mkdir()
    manifest = (digits / "manifest.json").read_text().replace('"images_sha256": "', '"images_sha256": "0')
    (tmp_path / "digits/manifest.json").write_text(manifest)
    assert call(folder, tmp_path) == 0
    assert "is not what the runs were trained on" in caplog.text
    assert read_parquet(folder / "pictures.parquet", "cifarbench pictures").empty


def test_a_configuration_without_predictions_does_not_vote(trained: tuple[Plan, Path]) -> None:
    from cifarbench.analysis.results import Results

    plan, folder = trained
    best = Results(plan, read_table(folder / "runs.parquet")).ranked[0]
    assert vote(best, folder / "elsewhere") is None
    found = vote(best, folder / "runs")
    assert found is not None
    assert found.answers.shape == found.confidence.shape == (best.first("final.test.images"),)
