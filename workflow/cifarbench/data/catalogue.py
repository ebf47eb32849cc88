"""The official archives of data sets: where they are and what checksum they have."""

from typing import NamedTuple

from cifarbench.config.benchmark import Dataset, is_url


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
