"""What only data and model together can tell is told before a training, not at the end of its first epoch."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cifarbench.config.knobs import TrainConfig
from helpers.training import train

NORMED = """
from torch import nn
def build(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 4), nn.BatchNorm1d(4), nn.Linear(4, classes))
"""
IMAGES = 1237  # of digits that train, in these tests


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--crop-padding", "32"], "crop_padding: 32 is not allowed: nothing may be left of an image of 32"),
        (
            ["--last-batch", "drop", "--batch-size", "2000"],
            "last_batch: 'drop' leaves no batch: there are 1237",
        ),
        (
            ["--schedule", "one_cycle", "--batch-size", "2000", "--epochs", "1"],
            "needs 4 steps to rise and fall",
        ),
        (["--batch-size", str(2**63)], "flags.batch_size: '9223372036854775808' is not allowed"),
        (["--threads", "100000"], "argument --threads: '100000' is not allowed: it must be 1024 or less"),
        (["--batch-norm", "frozen"], "batch_norm: 'frozen' has no effect on model 'lenet5', which has no"),
    ],
)
def test_it_is_one_line_and_leaves_nothing(
    digits: Path, tmp_path: Path, fails: Callable[..., str], flags: list[str], line: str
) -> None:
    call = ["train", "--data", digits, "--output", tmp_path / "out", "--validation-images", "200"]
    assert line in fails(*call, *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("size", "advice"), [(618, "choose another, or last_batch"), (1, "choose a larger")])
def test_a_batch_of_one_image_is_told_where_the_model_cannot_train_on_it(
    digits: Path, tmp_path: Path, fails: Callable[..., str], size: int, advice: str
) -> None:
    file = tmp_path / "normed.py"
    file.write_text(NORMED)
    own = ["--model", "normed", "--model-file", file, "--validation-images", "200"]
    line = fails("train", "--data", digits, "--output", tmp_path / "out", *own, "--batch-size", size)
    assert f"batch_size: {size} leaves a batch of one image, on which this model cannot train" in line
    assert "Expected more than 1 value per channel" in line
    assert advice in line


def test_the_last_batch_may_be_left_out(digits: Path, tmp_path: Path) -> None:
    file = tmp_path / "normed.py"
    file.write_text(NORMED)
    own = ["--model", "normed", "--model-file", str(file), "--batch-size", "618", "--epochs", "2"]
    record = train(digits, tmp_path / "out", *own, "--last-batch", "drop")
    assert record.images_per_second == pytest.approx(2 * (IMAGES - 1) / record.seconds.train)
    assert len(record.first_losses) == 2
    accuracy = record.epochs[0].running_train_accuracy * (IMAGES - 1)
    assert accuracy == pytest.approx(round(accuracy), abs=1e-3)
    assert TrainConfig(last_batch="keep").changed() == {}


def test_what_killed_writes_have_left_is_removed(digits: Path, tmp_path: Path) -> None:
    for name in (".metrics.json.99999999.part", ".checkpoint.pt.99999999.part"):
        (tmp_path / name).touch()
    train(digits, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "metrics.json",
        "predictions.safetensors",
        "weights.safetensors",
    ]
