"""What a run sees of a data set: parts given or drawn, and images that are what the manifest tells of."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cifarbench.cli.parser import main
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.integrity import check_images
from cifarbench.data.loading import load
from cifarbench.data.manifest import IMAGES, MANIFEST, manifest_sha256, read_manifest
from cifarbench.errors import UserError
from helpers.archives import pictures
from helpers.training import train

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    parts = [f"{split}/{name}" for split in ("train", "val", "test") for name in ("a", "b")]
    source, output = pictures(tmp_path / "source", *parts), tmp_path / "mine"
    call = ["--name", "mine", "--format", "folder", "--source", str(source), "--output", str(output)]
    assert main(["normalise", *call]) == 0
    return output


@pytest.mark.parametrize("images", [0, 5000])
def test_given_validation_images_are_used_and_all_training_images_train(mine: Path, images: int) -> None:
    data = load(mine, TrainConfig(validation_images=images), CPU)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [10, 10, 10]
    assert data.validation.batch(slice(None))[1].tolist() == [0] * 5 + [1] * 5
    every = torch.cat([part.batch(slice(None))[0] for part in (data.train, data.validation, data.test)])
    assert len({image.numpy().tobytes() for image in every}) == 30


def test_knobs_that_would_draw_other_validation_images_are_refused(mine: Path) -> None:
    for knobs in ({"validation_images": 3}, {"data_seed": 1}):
        [(name, value)] = knobs.items()
        with pytest.raises(UserError) as caught:
            load(mine, TrainConfig.model_validate(knobs), CPU)
        assert f"{name}: {value} is not allowed: data set 'mine' has 10 validation images of its own" in str(
            caught.value
        )


def test_a_run_on_given_validation_images_records_what_was_decided(mine: Path, tmp_path: Path) -> None:
    call = ["--data", str(mine), "--output", str(tmp_path / "run"), "--batch-size", "4", "--epochs", "1"]
    assert main(["train", *call, "--report-epoch", "best_validation"]) == 0
    from cifarbench.records.record import read_record

    record = read_record(tmp_path / "run/metrics.json")
    assert record.data.validation_images == record.final.validation.images == 10
    assert "validation: 10 images, 5 of each class, given, from val/" in record.data.description
    assert record.data.background == "#ffffff"


def test_a_changed_pixel_is_seen(mine: Path, fails: Callable[..., str]) -> None:
    check_images(mine, read_manifest(mine))
    path = mine / IMAGES
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:  # the same inode, and times that say nothing
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    line = fails("train", "--data", mine, "--output", mine / "run", "--batch-size", "4")
    assert f"{IMAGES}: cannot be read: its bytes are not those that manifest.json beside it tells of" in line
    assert "remove the folder and run `cifarbench normalise` again" in line


def test_images_are_looked_at_once_per_machine(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def hashed(path: Path) -> str:
        looked.append(path)
        return manifest.images_sha256

    manifest = read_manifest(mine)
    monkeypatch.setattr("cifarbench.data.integrity.sha256_of", hashed)
    check_images(mine, manifest)
    check_images(mine, manifest)
    assert len(looked) == 1
    moved = mine.rename(mine.with_name("moved"))
    check_images(moved, manifest)
    (moved / IMAGES).touch()
    check_images(moved, manifest)
    assert len(looked) == 3


def test_a_cache_that_cannot_be_written_stops_nothing(mine: Path, own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    check_images(mine, read_manifest(mine))


def test_data_that_go_away_while_training_cost_nothing(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record tells the manifest that was in force at the start."""
    import shutil

    from cifarbench.training.engine import Engine

    folder = shutil.copytree(digits, tmp_path / "digits")
    digest, end_epoch = manifest_sha256(folder), Engine.end_epoch

    def gone(engine: Engine) -> object:
        shutil.rmtree(folder, ignore_errors=True)
        return end_epoch(engine)

    monkeypatch.setattr(Engine, "end_epoch", gone)
    assert train(folder, tmp_path / "run").data.manifest_sha256 == digest


def test_a_manifest_that_is_gone_is_a_line(mine: Path) -> None:
    (mine / MANIFEST).unlink()
    with pytest.raises(UserError, match="cannot be read: No such file or directory; make it with"):
        manifest_sha256(mine)


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("classes", ["a"], "train_images has 2 counts for 1 classes"),
        ("mean", [0.5], "mean"),
        ("std", None, "std"),
        ("schema_version", 9, "schema_version"),
    ],
)
def test_a_manifest_that_does_not_fit_is_a_line(
    mine: Path, fails: Callable[..., str], key: str, value: object, line: str
) -> None:
    content = {**json.loads((mine / MANIFEST).read_text()), key: value}
    (mine / MANIFEST).write_text(json.dumps(content))
    assert line in fails("train", "--data", mine, "--output", mine / "run")
