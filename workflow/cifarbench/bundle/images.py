"""The images of a bundle's data sets: carried in it, or read from what is given, and the same as at home."""

import shutil
import zipfile
from pathlib import Path

from cifarbench.bundle.task import Images
from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.manifest import IMAGES, MANIFEST
from cifarbench.data.normalise import normalise
from cifarbench.data.readers.source import Request
from cifarbench.errors import UserError
from cifarbench.files import atomic, sha256_of

MANIFESTS = "manifests"
"""Folder in a bundle, with a folder a data set; the images are in IMAGES_IN."""
IMAGES_IN = "images"


def have_images(
    name: str, wanted: Images, given: Path | None, archive: Path, unpacked: Path, output: Path
) -> None:
    """Have the images of a data set in `output`, with the manifest that they have at home.

    Raise UserError if they are not given, or are others than those.
    """
    if not is_sound(output, wanted):
        bring(name, wanted, given, archive, output)
        if not is_sound(output, wanted):
            found = sha256_of(output / IMAGES)
            shutil.rmtree(output)
            raise UserError(
                f"{given or name}: its images are not those of the bundle: sha256 is {found}, expected "
                f"{wanted.images_sha256}; give the same data, or make the bundle with --with-data"
            )
    shutil.copyfile(unpacked / MANIFESTS / name / MANIFEST, output / MANIFEST)


def is_sound(folder: Path, wanted: Images) -> bool:
    return (folder / IMAGES).exists() and sha256_of(folder / IMAGES) == wanted.images_sha256


def bring(name: str, wanted: Images, given: Path | None, archive: Path, output: Path) -> None:
    """Write images into `output`: those in the bundle, normalised ones that are given, or what is read."""
    if given is None:
        with zipfile.ZipFile(archive) as bundle:
            if f"{IMAGES_IN}/{name}" in bundle.namelist():
                with atomic(output / IMAGES) as temporary:
                    temporary.write_bytes(bundle.read(f"{IMAGES_IN}/{name}"))
                return
        if not CATALOGUE[wanted.format].embedded:
            raise UserError(f"data set {name!r} is not in the bundle; give its archive with --data")
    elif (given / IMAGES).exists():
        with atomic(output / IMAGES) as temporary:
            shutil.copyfile(given / IMAGES, temporary)
        return
    request = Request.of([given] if given else [], wanted.sha256, wanted.options)
    try:
        normalise(name, wanted.format, request, output)
    except ModuleNotFoundError as error:
        raise UserError(
            f"{given or name}: cannot be read here without {error.name}; make the bundle with --with-data"
        ) from None
