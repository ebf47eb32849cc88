"""One file of images and a manifest: right statistics, same bytes, and nothing half-written."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from cifarbench.cli.parser import main
from cifarbench.data.manifest import IMAGES, MANIFEST, read_manifest
from cifarbench.data.normalise import channel_statistics
from helpers.archives import image_folder


def test_the_manifest_says_what_the_images_are(digits: Path) -> None:
    manifest = read_manifest(digits)
    data = load_file(digits / IMAGES)
    assert manifest.name == manifest.format == "digits"
    assert manifest.classes == [str(n) for n in range(10)]
    assert sum(manifest.train_images) == len(data["train_labels"]) == 1437
    assert sum(manifest.test_images) == len(data["test_labels"]) == 360
    assert manifest.test_was_drawn
    assert data["train_images"].dtype == np.uint8


def test_the_same_data_give_the_same_bytes(digits: Path, tmp_path: Path) -> None:
    assert main(["normalise", "--name", "digits", "--format", "digits", "--output", str(tmp_path)]) == 0
    for name in (IMAGES, MANIFEST):
        assert (tmp_path / name).read_bytes() == (digits / name).read_bytes()


def test_statistics_are_those_of_numpy() -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 3, 32, 32), np.uint8)
    mean, std = channel_statistics(images)
    assert mean == pytest.approx((images / 255).mean(axis=(0, 2, 3)), rel=1e-12)
    assert std == pytest.approx((images / 255).std(axis=(0, 2, 3)), rel=1e-12)


@pytest.mark.parametrize("verb", ["normalise", "train"])
def test_a_disk_with_no_room_leaves_nothing_behind(digits: Path, tmp_path: Path, verb: str) -> None:
    """The system itself refuses to write more than 100 kB to a file, as a full disk does."""
    arguments = {
        "normalise": ["--name", "digits", "--format", "digits"],
        "train": ["--data", str(digits), "--validation-images", "0", "--epochs", "1"],
    }[verb]
    result = subprocess.run(
        [sys.executable, "-m", "cifarbench", verb, *arguments, "--output", str(tmp_path / "out")],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    [line] = [line for line in result.stderr.splitlines() if "error" in line]
    assert "safetensors: cannot be written: " in line
    assert "File too large" in line
    assert list(tmp_path.glob("out/*")) == []


def test_a_file_system_that_turns_read_only_is_said_in_a_line(
    tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removing the temporary file is refused as well, and must not hide why the rest was."""

    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "chmod", read_only)
    monkeypatch.setattr(Path, "unlink", read_only)
    line = fails("normalise", "--name", "digits", "--format", "digits", "--output", tmp_path / "out")
    assert f"{IMAGES}: cannot be written: Read-only file system" in line


def test_a_bad_source_leaves_nothing_behind(tmp_path: Path, fails: Callable[..., str]) -> None:
    (image_folder(tmp_path / "mine") / "test/bees/x.txt").write_text("no image")
    call = ["--name", "mine", "--format", "folder", "--source", tmp_path / "mine"]
    assert "x.txt is no image" in fails("normalise", *call, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()
