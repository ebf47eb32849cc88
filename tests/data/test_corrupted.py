"""CIFAR-10-C on a small archive of the real layout: order, groups, subsets, the way to it, and refusals."""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import Dataset, parse
from cifarbench.data.catalogue import CATALOGUE, downloads
from cifarbench.data.manifest import IMAGES, read_manifest
from cifarbench.data.readers.read import read_source
from cifarbench.data.readers.source import Request
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.plan.plan import make_plan
from helpers.archives import add
from helpers.server import Server

CORRUPTIONS: tuple[str, ...] = CATALOGUE["cifar10_c"].layout["corruptions"]
OF_EACH = 20  # images of each severity
LABELS = np.tile(np.arange(OF_EACH, dtype=np.uint8) % 10, 5)


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (len(LABELS), 32, 32, 3), np.uint8)


def contents() -> dict[str, np.ndarray]:
    """Return the files in the order of the alphabet, as the archive has them, with one that is not used."""
    files = {name: pixels(number) for number, name in enumerate((*CORRUPTIONS, "spatter"))}
    return dict(sorted({**files, "labels": LABELS}.items()))


def archive(path: Path, files: Mapping[str, np.ndarray]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, values in files.items():
            written = io.BytesIO()
            np.save(written, values)
            add(tar, f"CIFAR-10-C/{name}.npy", written.getvalue())
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return archive(tmp_path_factory.mktemp("c") / "CIFAR-10-C.tar", contents())


def test_images_are_in_groups_of_a_corruption_and_a_severity(whole: Path) -> None:
    source = read_source("cifar10_c", Request(whole, sha256_of(whole)))
    assert len(CORRUPTIONS) == 15 and len(source.train_images) == 0
    assert list(source.test_groups)[:6] == [*(f"gaussian_noise/{n}" for n in range(1, 6)), "shot_noise/1"]
    assert set(source.test_groups.values()) == {OF_EACH}
    start = OF_EACH * list(source.test_groups).index("fog/3")
    third = pixels(CORRUPTIONS.index("fog"))[2 * OF_EACH : 3 * OF_EACH]
    assert np.array_equal(source.test_images[start : start + OF_EACH], third.transpose(0, 3, 1, 2))
    assert np.array_equal(source.test_labels[start : start + OF_EACH], LABELS[:OF_EACH])
    assert source.classes == list(CATALOGUE["cifar10_1"].layout["classes"])


def test_it_is_downloaded_verified_and_normalised(whole: Path, tmp_path: Path) -> None:
    server = Server(whole.read_bytes(), "CIFAR-10-C.tar?download=1")
    dataset = Dataset(name="cifar10_c", source=server.url, sha256=sha256_of(whole))
    [(name, found)] = downloads(dataset).items()
    call = ["--url", found.url, "--checksum", str(found.checksum), "--output", str(tmp_path / name)]
    try:
        assert main(["download", *call]) == 0
    finally:
        server.close()
    call = ["--name", "cifar10_c", "--format", "cifar10_c", "--source", str(tmp_path / name)]
    call += ["--sha256", sha256_of(whole), "--output", str(tmp_path / "out")]
    assert main(["normalise", *call]) == 0
    manifest = read_manifest(tmp_path / "out")
    assert (sum(manifest.train_images), sum(manifest.test_images)) == (0, 15 * len(LABELS))
    assert load_file(tmp_path / "out" / IMAGES)["test_images"].shape == (15 * len(LABELS), 3, 32, 32)
    everything = np.stack([pixels(number) for number in range(15)])
    assert np.allclose(manifest.mean, everything.mean(axis=(0, 1, 2, 3)) / 255)

    assert main(["normalise", *call, "--subset", "test=750"]) == 0
    kept = read_manifest(tmp_path / "out")
    assert sum(kept.test_groups.values()) == sum(kept.test_images) == 750
    assert kept.test_groups == dict.fromkeys(manifest.test_groups, 10) and kept.test_images == [75] * 10


def missing(files: dict[str, np.ndarray]) -> None:
    del files["fog"]


def shorter(files: dict[str, np.ndarray]) -> None:
    files["fog"] = files["fog"][:-1]


def eleven_classes(files: dict[str, np.ndarray]) -> None:
    files["labels"] = files["labels"] + 1


def uneven(files: dict[str, np.ndarray]) -> None:
    files["labels"] = files["labels"][:-1]


def objects(files: dict[str, np.ndarray]) -> None:
    files["fog"] = np.array([{}], object)


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (missing, "fog.npy is missing"),
        (shorter, "fog is uint8 (99, 32, 32, 3), and there are 100 labels"),
        (eleven_classes, "100 labels are 1 to 10"),
        (uneven, "99 labels are 0 to 9"),
        (objects, "allow_pickle=False"),
    ],
)
def test_another_layout_is_refused(
    tmp_path: Path, spoil: Callable[[dict[str, np.ndarray]], None], line: str
) -> None:
    files = contents()
    spoil(files)
    path = archive(tmp_path / "x.tar", files)
    with pytest.raises(UserError, match="is not laid out as CIFAR-10-C is") as caught:
        read_source("cifar10_c", Request(path, sha256_of(path)))
    assert line in str(caught.value)


def test_only_the_published_archive_is_taken_without_a_checksum(whole: Path) -> None:
    with pytest.raises(UserError, match=r"wrong checksum: sha256:.*, expected sha256:c72763e1"):
        read_source("cifar10_c", Request(whole))


def test_nothing_can_be_trained_on_it(whole: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    def planned(**run: object) -> None:
        make_plan(parse({"studies": [{"name": "s", "title": "T", "runs": [run]}]}))

    planned(extra_tests=["cifar10_c"])
    with pytest.raises(UserError, match=r"runs\[0\].dataset: 'cifar10_c' has no images to train on; name it"):
        planned(dataset="cifar10_c")
    call = ["--name", "c", "--format", "cifar10_c", "--source", str(whole), "--sha256", sha256_of(whole)]
    assert main(["normalise", *call, "--output", str(tmp_path / "c")]) == 0
    line = fails("train", "--data", tmp_path / "c", "--output", tmp_path / "run")
    assert "data set 'c' has no images to train on; name it in extra_tests" in line
    too_few = fails("normalise", *call, "--output", tmp_path / "d", "--subset", "test=751")
    assert "1500 images of 10 classes in 75 groups; keep fewer, as many of each, as 750 or" in too_few
