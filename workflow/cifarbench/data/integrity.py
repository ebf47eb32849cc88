"""Are the images still those that the manifest tells of? Looked at once per machine, not in each job."""

import hashlib
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from cifarbench.data.manifest import IMAGES, MANIFEST, Manifest
from cifarbench.errors import UserError
from cifarbench.files import sha256_of


def check_images(folder: Path, manifest: Manifest) -> None:
    """Raise UserError if the images are not those of the manifest.

    What was found sound is kept in the user's cache by place, size, times and inode of the file; without a
    cache that can be written, it is looked at again.
    """
    path = folder / IMAGES
    try:
        mark = _cache() / _fingerprint(path, manifest)
        if mark.exists():
            return
        sound = sha256_of(path) == manifest.images_sha256
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}; run `cifarbench normalise`") from None
    if not sound:
        raise UserError(
            f"{path}: cannot be read: its bytes are not those that {MANIFEST} beside it tells of, so it was "
            "changed or damaged; remove the folder and run `cifarbench normalise` again"
        )
    with suppress(OSError):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()


def _cache() -> Path:
    return user_cache_path("cifarbench") / "images"


def _fingerprint(path: Path, manifest: Manifest) -> str:
    facts = path.stat()
    told = [path.resolve(), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev]
    return hashlib.sha256(repr([*told, manifest.images_sha256]).encode()).hexdigest()
