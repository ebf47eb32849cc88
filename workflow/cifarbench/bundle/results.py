"""What a bundle brings back: one zip, in which each run that is done has a folder in `runs/`.

Of a run that is not, `unfinished/` holds the log and the checkpoint from which it goes on. Beside the zip the
trainings lie in a folder as `cifarbench pack` leaves them; the zip alone is enough to go on elsewhere.
"""

import shutil
import stat
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

from cifarbench.errors import UserError, shown
from cifarbench.files import atomic
from cifarbench.records.folder import CHECKPOINT, LOG, PACKED, PREDICTIONS, RECORD

DONE, UNFINISHED = "runs", "unfinished"
PARTS = {DONE: (RECORD, PREDICTIONS, LOG), UNFINISHED: (CHECKPOINT, LOG)}
# What deflates to less than this share of its size, and is more than a file of text, is a bomb.
MOST_DEFLATED, SMALL = 1 / 200, 1 << 20


def write_results(path: Path, folder: Path, runs: Collection[str]) -> None:
    """Put what there is of the runs in `folder` into a zip."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for run in runs:
            part = DONE if (folder / run / PACKED / RECORD).exists() else UNFINISHED
            for name in PARTS[part]:
                file = folder / run / PACKED / name
                if file.exists():
                    packing = zipfile.ZIP_STORED if name == CHECKPOINT else None
                    archive.write(file, f"{part}/{run}/{name}", packing)


def restore_results(path: Path, folder: Path, runs: Collection[str]) -> None:
    """Put what a zip holds of the runs into `folder`, but for what is there; nothing if there is no zip.

    Raise UserError for a zip that `write_results` has not made of these runs, or that is damaged; then
    nothing is written.
    """
    if not path.exists():
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = list(checked(path, archive, runs))
            if damaged := archive.testzip():
                raise zipfile.BadZipFile(f"{damaged} is damaged")
            for info, run, name in members:
                restore(archive, info, folder / run / PACKED / name)
    except UserError:
        raise
    except Exception as error:  # zips fail in ways of their own, which no list of types covers
        raise UserError(
            f"{path}: cannot be gone on from: {error}; fetch it again, or choose another --output"
        ) from None


def checked(
    path: Path, archive: zipfile.ZipFile, runs: Collection[str]
) -> Iterator[tuple[zipfile.ZipInfo, str, str]]:
    """Yield each member with its run and the name of its file."""
    seen = set()
    for info in archive.infolist():
        part, _, rest = info.filename.partition("/")
        run, _, name = rest.partition("/")
        where = f"{path}: {shown(info.filename)}"
        if run not in runs or name not in PARTS.get(part, ()) or info.filename in seen:
            raise UserError(f"{where} is no result of a run of this bundle; choose another --output")
        if info.compress_size < info.file_size * MOST_DEFLATED and info.file_size > SMALL:
            raise UserError(f"{where} has {info.file_size:,} bytes, unpacked: a bomb? Do not trust it")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise UserError(f"{where} is a link; do not trust it")
        seen.add(info.filename)
        yield info, run, name


def restore(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    if target.exists() or (target.name == CHECKPOINT and (target.parent / RECORD).exists()):
        return
    with atomic(target) as temporary, archive.open(info) as packed, temporary.open("wb") as file:
        shutil.copyfileobj(packed, file)
