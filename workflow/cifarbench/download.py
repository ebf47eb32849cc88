"""Fetch an archive and verify it: `cifarbench download --url U --sha256 S --output FILE`."""

from pathlib import Path
from typing import NamedTuple

from .config import Dataset, is_url
from .errors import UserError

TRIES = 3
TIMEOUT_SECONDS = 60


class OfficialArchive(NamedTuple):
    url: str
    sha256: str
    python_sha256: str
    train: tuple[str, ...]
    test: str
    label_bytes: int  # CIFAR-100 has the coarse label before the fine one
    names: tuple[str, str]  # members with the class names: binary, Python


# The checksums are those that TensorFlow Datasets and Keras publish for the same files.
OFFICIAL = {
    "cifar10": OfficialArchive(
        url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        python_sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        train=tuple(f"data_batch_{n}" for n in range(1, 6)),
        test="test_batch",
        label_bytes=1,
        names=("batches.meta.txt", "batches.meta"),
    ),
    "cifar100": OfficialArchive(
        url="https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        sha256="58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        python_sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        train=("train",),
        test="test",
        label_bytes=2,
        names=("fine_label_names.txt", "meta"),
    ),
}


def address(dataset: Dataset) -> tuple[str, str] | None:
    """Return (URL, sha256) of a data set that must be downloaded, None for one that is here already."""
    official = OFFICIAL.get(dataset.format)
    url = official.url if official and dataset.source is None else dataset.source
    if url is None or not is_url(url):
        return None
    return url, dataset.sha256 or (official.sha256 if official else "")


def download(url: str, sha256: str, output: Path) -> None:
    """Download `url` to `output`, which appears only once its checksum is right.

    A broken transfer starts again from the beginning, TRIES times in all. Raise UserError otherwise.
    """
    import pooch
    import requests

    remedy = "or set `source` of this data set to a local copy"
    fetcher = pooch.create(
        path=output.parent,
        base_url="",
        registry={output.name: f"sha256:{sha256}"},
        urls={output.name: url},
        retry_if_failed=TRIES - 1,
    )
    pooch.get_logger().setLevel("WARNING")
    try:
        fetcher.fetch(output.name, downloader=pooch.HTTPDownloader(timeout=TIMEOUT_SECONDS))
    except requests.HTTPError as error:
        answer = str(error).split(" for url")[0]  # such as '404 Client Error: Not Found'
        raise UserError(f"{url}: the server answered {answer}; check the address, {remedy}") from None
    except requests.RequestException as error:
        raise UserError(f"{url}: download broke off: {error}; check the network, {remedy}") from None
    except ValueError:
        raise UserError(
            f"{url}: wrong checksum: what came does not have sha256 {sha256}; try again later, {remedy}"
        ) from None
    except OSError as error:
        raise UserError(f"{output}: cannot be written: {error.strerror}; make room and run again") from None
