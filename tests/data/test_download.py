"""The download against a real HTTP server on loopback that misbehaves on purpose."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cifarbench.data.download
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import Dataset
from cifarbench.data.catalogue import CATALOGUE, Archive, downloads, file_name
from cifarbench.data.download import download
from cifarbench.data.manifest import read_manifest
from cifarbench.files import sha256_of
from helpers.archives import image_folder, official_binary, packed
from helpers.server import Server

Fails = Callable[..., str]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(official_binary(tmp_path / "served.tar.gz", "cifar10").read_bytes())
    yield running
    running.close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)


def call(server: Server, output: Path, sha256: str | None = None) -> list[object]:
    digest = sha256 or hashlib.sha256(server.body).hexdigest()
    return ["download", "--url", server.url, "--sha256", digest, "--output", output]


def test_a_sound_download_is_the_file(server: Server, tmp_path: Path) -> None:
    output = tmp_path / "data/archive.tar.gz"
    assert main([str(argument) for argument in call(server, output)]) == 0
    assert output.read_bytes() == server.body
    assert [path.name for path in output.parent.iterdir()] == ["archive.tar.gz"]


@pytest.mark.parametrize("fault", ["truncated", "no length", "503"])
def test_a_broken_download_starts_again(server: Server, tmp_path: Path, fault: str) -> None:
    server.misbehave = [fault] * (cifarbench.data.download.TRIES - 1)
    output = tmp_path / "data/archive.tar.gz"
    assert main([str(argument) for argument in call(server, output)]) == 0
    assert server.requests == cifarbench.data.download.TRIES
    assert output.read_bytes() == server.body


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ("404", "the server answered 404 Client Error: Not Found; check the address, or set `source`"),
        ("500", "the server answered 500 Server Error"),
        ("truncated", "download broke off"),
        ("no length", "wrong checksum"),
    ],
)
def test_a_download_that_stays_broken_leaves_nothing(
    server: Server, tmp_path: Path, fails: Fails, fault: str, line: str
) -> None:
    server.misbehave = [fault] * cifarbench.data.download.TRIES
    output = tmp_path / "data/archive.tar.gz"
    message = fails(*call(server, output))
    assert server.url in message
    assert line in message
    assert list(output.parent.iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path, fails: Fails) -> None:
    output = tmp_path / "data/archive.tar.gz"
    assert f"does not have sha256 {'0' * 64}" in fails(*call(server, output, "0" * 64))
    assert list(output.parent.iterdir()) == []


def test_no_network_is_said_in_a_line(server: Server, tmp_path: Path, fails: Fails) -> None:
    arguments = call(server, tmp_path / "archive.tar.gz")
    server.close()
    message = fails(*arguments)
    assert "download broke off" in message
    assert "check the network, or set `source` of this data set to a local copy" in message


def test_a_disk_with_no_room_is_said_in_a_line(
    server: Server, tmp_path: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.move", full)
    monkeypatch.setattr("pooch.core.shutil.move", full)
    assert "No space left on device; make room" in fails(*call(server, tmp_path / "data/archive.tar.gz"))


def test_what_a_killed_download_left_is_removed(server: Server, tmp_path: Path) -> None:
    stray = tmp_path / "data/.archive.tar.gz.999999999.part"
    stray.mkdir(parents=True)
    (stray / "tmpabc").write_bytes(b"half of it")
    output = tmp_path / "data/archive.tar.gz"
    assert main([str(argument) for argument in call(server, output)]) == 0
    assert list(output.parent.iterdir()) == [output]


def test_where_a_data_set_comes_from() -> None:
    official = {name: entry.archives[0] for name, entry in CATALOGUE.items() if entry.archives}
    assert downloads(Dataset(name="cifar10")) == {"cifar-10-binary.tar.gz": official["cifar10"]}
    mirror = "https://mirror/cifar-100-binary.tar.gz"
    assert downloads(Dataset(name="cifar100", source=mirror)) == {
        "cifar-100-binary.tar.gz": Archive(mirror, official["cifar100"].sha256)
    }
    assert downloads(Dataset(name="cifar10", source="/here/cifar-10-python.tar.gz")) == {}
    assert downloads(Dataset(name="digits")) == {}


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://zenodo.org/records/1/files/images.zip?download=1", "images.zip"),
        ("https://figshare.com/ndownloader/files/12345", "12345.archive"),
        ("https://host/Images.ZIP", "Images.ZIP"),
        ("HTTPS://host/my%20images%2Fall.tar.gz#part", "my_images_all.tar.gz"),
        ("https://host/get?file=a.zip", "get.archive"),
        ("https://host", "download.archive"),
        ("https://host/manifest.json", "manifest.json.archive"),
        ("https://host/{name}/..", "...archive"),
    ],
)
def test_an_address_gives_a_plain_file_name(url: str, name: str) -> None:
    assert list(downloads(Dataset(name="mine", format="folder", source=url, sha256="0" * 64))) == [name]


@pytest.mark.parametrize("path", ["images.zip?download=1", "files/12345", "IMAGES.ZIP"])
def test_an_archive_is_read_whatever_its_address_is_like(tmp_path: Path, path: str) -> None:
    archive = packed(image_folder(tmp_path / "mine"), ".zip")
    server = Server(archive.read_bytes(), path)
    folder = tmp_path / "data/mine"
    output = folder / file_name(server.url)
    call = ["normalise", "--name", "mine", "--format", "folder", "--source", str(output)]
    try:
        download(server.url, sha256_of(archive), output)
    finally:
        server.close()
    assert main([*call, "--output", str(folder)]) == 0
    assert read_manifest(folder).train_images == [6, 6]
