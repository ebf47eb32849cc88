"""Folders of a user's own, from the files to the manifest: what is used, what is told, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import Dataset
from cifarbench.data.catalogue import read_flags
from cifarbench.data.manifest import IMAGES, Manifest, description, read_manifest, warnings
from helpers.archives import ARCHIVES, packed, pictures

Fails = Callable[..., str]


@pytest.fixture(autouse=True)
def all_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def normalised(source: Path, output: Path, *flags: str) -> Manifest:
    call = ["--name", "mine", "--format", "folder", "--source", str(source), "--output", str(output)]
    assert main(["normalise", *call, *flags]) == 0
    return read_manifest(output)


def refused(fails: Fails, source: Path, output: Path, *flags: str) -> str:
    call = ["--name", "mine", "--format", "folder", "--source", source, "--output", output]
    line = fails("normalise", *call, *flags)
    assert not output.exists() or list(output.iterdir()) == []
    return line


def test_a_split_of_three_parts_is_used_as_given_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = pictures(tmp_path / "mine", "Training/a", "Training/b", "Validation/a", "Testing/a", "Testing/b")
    manifest = normalised(source, tmp_path / "out")
    assert not manifest.test_was_drawn
    assert (manifest.train_images, manifest.validation_images, manifest.test_images) == (
        [5, 5],
        [5, 0],
        [5, 5],
    )
    data = load_file(tmp_path / "out" / IMAGES)
    for part, folder in (("train", "Training"), ("validation", "Validation"), ("test", "Testing")):
        first = np.asarray(
            Image.open(source / folder / "a/0.png").resize((32, 32), Image.Resampling.BILINEAR)
        )
        assert np.array_equal(data[f"{part}_images"][0], first.transpose(2, 0, 1))
    assert data["validation_labels"].tolist() == [0] * 5
    told = caplog.text
    assert "2 classes: a, b" in told
    assert "train: 10 images, 5 of each class, from Training/" in told
    assert "validation: 5 images, 0 to 5 of each class, given, from Validation/" in told
    assert "test: 10 images, 5 of each class, given, from Testing/" in told
    assert "read: 25 PNG RGB" in told


def test_train_and_val_alone_keep_val_for_validation_and_draw_the_test_set(tmp_path: Path) -> None:
    manifest = normalised(
        pictures(tmp_path / "mine", "train/a", "train/b", "val/a", "val/b"), tmp_path / "out"
    )
    assert manifest.test_was_drawn
    assert (manifest.train_images, manifest.validation_images, manifest.test_images) == (
        [4, 4],
        [5, 5],
        [1, 1],
    )
    data = load_file(tmp_path / "out" / IMAGES)
    rows = {image.tobytes() for part in ("train", "validation", "test") for image in data[f"{part}_images"]}
    assert len(rows) == 20
    assert any(line.startswith("test: 2 images, 1 of each class, drawn") for line in description(manifest))


@pytest.mark.parametrize("kind", ["folder", *ARCHIVES])
def test_what_is_no_image_outside_the_classes_is_left_out_and_named(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    source = pictures(tmp_path / "mine", "photos/a", "photos/b")
    for name in ("README.md", "photos/LICENSE.txt", "docs/index.html"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("words")
    manifest = normalised(packed(source, kind), tmp_path / "out")
    assert manifest.classes == ["a", "b"]
    top = "" if kind == "folder" else "top/"
    assert manifest.left_out == sorted(
        f"{top}{n}" for n in ("README.md", "photos/LICENSE.txt", "docs/index.html")
    )
    assert f"left out: 3 files: {top}README.md" in caplog.text


def test_tiny_imagenet(tmp_path: Path) -> None:
    source = pictures(tmp_path / "tiny", "train/n1/images", "train/n2/images", "val/images", "test/images")
    (source / "wnids.txt").write_text("n1\nn2\n")
    (source / "train/n1/n1_boxes.txt").write_text("0.png\t0\t0\t8\t8\n")
    rows = [f"{n}.png\tn{1 + n % 2}\t0\t0\t8\t8" for n in range(5)]
    (source / "val/val_annotations.txt").write_text("\n".join(rows))
    manifest = normalised(source, tmp_path / "out")
    assert manifest.classes == ["n1", "n2"]
    assert manifest.validation_images == [3, 2]
    assert manifest.test_was_drawn
    assert load_file(tmp_path / "out" / IMAGES)["validation_labels"].tolist() == [0, 1, 0, 1, 0]
    assert len(manifest.left_out) == 3 + 5


@pytest.mark.parametrize(
    ("row", "line"),
    [
        ("5.png\tn1", "val/val_annotations.txt names 1 images that are not there, such as 5.png"),
        ("4.png\tn2", "val/val_annotations.txt gives 4.png two classes"),
    ],
)
def test_a_list_that_does_not_fit_its_images_is_refused(
    tmp_path: Path, fails: Fails, row: str, line: str
) -> None:
    source = pictures(tmp_path / "tiny", "train/n1", "train/n2", "val")
    rows = [f"{n}.png\tn1" for n in range(5)]
    (source / "val/val_annotations.txt").write_text("\n".join([*rows, row]))
    assert line in refused(fails, source, tmp_path / "out")


def test_images_that_use_little_of_their_range_are_told(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    for n, name in enumerate("ab"):
        (source / name).mkdir(parents=True)
        for k in range(5):
            twelve_bits = np.random.default_rng([n, k]).integers(0, 4096, (32, 32)).astype(np.uint16)
            Image.fromarray(twelve_bits).save(source / name / f"{k}.png")
    [warning] = warnings(normalised(source, tmp_path / "out"))
    assert warning.startswith("the training images hardly differ from one tone (standard deviation 1.8%")


def test_a_class_that_is_a_link_is_read(tmp_path: Path) -> None:
    pictures(tmp_path / "elsewhere", "b")
    source = pictures(tmp_path / "mine", "a")
    (source / "b").symlink_to(tmp_path / "elsewhere/b")
    assert normalised(source, tmp_path / "out").classes == ["a", "b"]


@pytest.mark.parametrize("place", ["train/b/4.png", "train/c/0.jpg", "notes/0.PNG", "0.tiff"])
def test_an_image_that_is_broken_is_refused_wherever_it_lies(
    tmp_path: Path, fails: Fails, place: str
) -> None:
    source = pictures(tmp_path / "mine", "train/a", "train/b", "test/a", "test/b")
    (source / place).parent.mkdir(exist_ok=True)
    (source / place).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert f"{place} is no image that can be read" in refused(fails, source, tmp_path / "out")


def test_images_that_say_nothing_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = tmp_path / "mine"
    for split in ("train", "test"):
        for n, name in enumerate(("a", "b")):
            (source / split / name).mkdir(parents=True)
            for k in range(3):
                colour = (7, 60 * n, 20 * k if split == "train" else 40)
                Image.new("RGB", (9, 9), colour).save(source / split / name / f"{k}.png")
    manifest = normalised(source, tmp_path / "out")
    assert manifest.repeats == {"train": 0, "test": 6}
    assert "warning: 6 test images are training images, too" in caplog.text
    assert "warning: the red channel is the same in all training images" in caplog.text
    for path in source.glob("train/*/*.png"):
        Image.new("RGB", (9, 9)).save(path)
    manifest = normalised(source, tmp_path / "again")
    assert manifest.repeats["train"] == 5
    assert "all training images are the same" in list(warnings(manifest))


def test_the_background_is_an_option_and_stands_in_the_manifest(tmp_path: Path, fails: Fails) -> None:
    source = pictures(tmp_path / "mine", "a", "b")
    Image.new("RGBA", (9, 9)).save(source / "a/0.png")
    assert normalised(source, tmp_path / "white").background == "#ffffff"
    blue = normalised(source, tmp_path / "blue", "--background", "#0000ff")
    assert (blue.background, blue.kinds) == ("#0000ff", {"PNG RGB": 9, "PNG RGBA": 1})
    images = load_file(tmp_path / "blue" / IMAGES)
    shown = {tuple(image[:, 0, 0]) for part in ("train", "test") for image in images[f"{part}_images"]}
    assert (0, 0, 255) in shown
    line = refused(fails, source, tmp_path / "no", "--background", "blue")
    assert "flags.background: 'blue' is not allowed" in line


def test_limits_are_flags(tmp_path: Path, fails: Fails) -> None:
    source = packed(pictures(tmp_path / "mine", "a", "b"), ".zip")
    for flag, value, line in (
        ("--max-files", "3", "holds more than 3 files; raise max_files"),
        ("--max-bytes", "100", "above max_bytes 100"),
        ("--max-pixels", "63", "has 8 x 8 pixels, above max_pixels 63"),
        ("--max-pixels", "none", "flags.max_pixels: 'none' is not allowed"),
    ):
        assert line in refused(fails, source, tmp_path / "out", flag, value)


@pytest.mark.parametrize("source", ["data/mine", "data", ".", "data/../data/mine", "link"])
def test_a_source_that_is_or_holds_the_output_is_refused(
    tmp_path: Path, fails: Fails, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "data/mine", "a", "b")
    Path("link").symlink_to("data/mine")
    call = ["--name", "mine", "--format", "folder", "--source", source, "--output", "data/mine"]
    assert "where the data set is written; keep your images elsewhere" in fails("normalise", *call)
    study = {"name": "s", "title": "S", "runs": [{"dataset": "mine"}]}
    datasets = [{"name": "mine", "format": "folder", "source": source}]
    Path("c.yaml").write_text(json.dumps({"datasets": datasets, "studies": [study]}))
    assert "datasets[0]: " in (line := fails("plan", "c.yaml"))
    assert "where the data set is written" in line


def test_what_killed_calls_left_is_removed(tmp_path: Path) -> None:
    source, output = pictures(tmp_path / "mine", "a", "b"), tmp_path / "out"
    output.mkdir()
    for name in (".images.safetensors.999999999.part", ".manifest.json.999999999.part"):
        (output / name).mkdir()
        (output / name / ".tmpAbC").touch()  # of a library, within
    running = output / ".images.safetensors.1.part"
    running.touch()
    normalised(source, output)
    assert {path.name for path in output.iterdir()} == {IMAGES, "manifest.json", running.name}


def test_names_that_a_terminal_must_not_get_are_escaped(tmp_path: Path, fails: Fails) -> None:
    source = pictures(tmp_path / "mine", "a", "b")
    (source / "a/\x1b[2J\n.png").write_bytes(b"no image")
    line = refused(fails, source, tmp_path / "out")
    assert "a/\\x1b[2J\\n.png is no image" in line


def test_a_subset_keeps_the_share_of_each_class(tmp_path: Path, fails: Fails) -> None:
    source = pictures(tmp_path / "mine", "train/a", "train/b", "val/a", "val/b", "test/a", "test/b", each=6)
    small = normalised(source, tmp_path / "out", "--subset", "train=4,validation=2")
    assert (small.train_images, small.validation_images, small.test_images) == ([2, 2], [1, 1], [6, 6])
    assert small.subset == {"train": 4, "validation": 2}
    whole = {image.tobytes() for image in load_all(normalised(source, tmp_path / "all"), tmp_path / "all")}
    assert {image.tobytes() for image in load_all(small, tmp_path / "out")} < whole
    again = normalised(source, tmp_path / "again", "--subset", "train=4,validation=2")
    assert again == small
    assert again.mean != read_manifest(tmp_path / "all").mean
    for subset, line in (
        ("train=12", "subset: train=12 is not allowed: there are 12 images of 2 classes"),
        ("train=1", "subset: train=1 is not allowed"),
        ("train=none", "flags.subset.train: 'none' is not allowed"),
        ("extra=3", "flags.subset.extra"),
        ("train=0", "flags.subset.train: '0' is not allowed"),
    ):
        assert line in refused(fails, source, tmp_path / "no", "--subset", subset)


def load_all(manifest: Manifest, folder: Path) -> np.ndarray:
    data = load_file(folder / IMAGES)
    return np.concatenate([data[f"{part}_images"] for part in ("train", "validation", "test")])


def test_options_of_a_config_become_flags() -> None:
    dataset = Dataset(name="few", format="cifar10", subset={"train": 5000}, background="#000000")
    assert read_flags(dataset) == ["--background", "#000000", "--subset", "train=5000"]
    assert Dataset(name="few").model_dump() == {"name": "few", "format": None, "source": None, "sha256": None}
