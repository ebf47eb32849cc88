"""Known results: the runs of a table that `collect` wrote, or of an archive or folder with a folder a run.

Of a folder of a run `metrics.json` is read, `predictions.safetensors` and `train.log` if they are there.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pandas as pd

from cifarbench.analysis.columns import DONE
from cifarbench.analysis.merge import check_figures, check_fingerprints
from cifarbench.analysis.table import read_table, tested
from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.archives import members
from cifarbench.errors import UserError, printable
from cifarbench.records.folder import LOG, PREDICTIONS, RECORD
from cifarbench.records.record import parse_record

READ = (RECORD, PREDICTIONS, LOG)
FILES = "files"
"""The column of what lies beside a record, by its name in the run's folder; tables have none."""
PARQUET = b"PAR1"
LIMITS = ReadOptions(max_pixels=2**27, max_bytes=2**34)
"""Of archives: 1 GB a file, since they may hold checkpoints, and 17 GB in all."""
LARGEST, MOST = 2**26, 2**32  # bytes of a file that is read, and of all of them: 67 MB and 4 GB


def read_known(path: Path) -> pd.DataFrame:
    """Return the runs that have a record, one a row as `collect` tables them, with their `source`.

    Raise UserError for what is no such table or archive, of a later version, or was changed by hand.
    """
    table = read_table(path) if is_table(path) else table_of_folders(path)
    known = table[table["status"].isin(DONE)].assign(source=str(path))
    check_figures(known)
    check_fingerprints(known)
    return known


def is_table(path: Path) -> bool:
    """Raise UserError where there is nothing."""
    if path.is_dir():
        return False
    try:
        with path.open("rb") as file:
            return path.suffix == ".parquet" or file.read(len(PARQUET)) == PARQUET
    except OSError as error:
        raise UserError(f"{path}: known results cannot be read: {error.strerror}") from None


def table_of_folders(path: Path) -> pd.DataFrame:
    folders: dict[PurePosixPath, dict[str, bytes]] = {}
    for name, content in files_in(path):
        folders.setdefault(name.parent, {})[name.name] = content
    rows = [row(path, name, files) for name, files in folders.items() if RECORD in files]
    if not rows:
        raise UserError(f"{path}: holds no results: there is no {RECORD} in it")
    return pd.json_normalize(rows, sep=".").assign(**{FILES: beside(folders)})


def beside(folders: dict[PurePosixPath, dict[str, bytes]]) -> list[dict[str, bytes]]:
    """Return of each folder with a record the other files."""
    return [
        {name: content for name, content in files.items() if name != RECORD}
        for files in folders.values()
        if RECORD in files
    ]


def files_in(path: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.name in READ and file.is_file():
                yield PurePosixPath(file.relative_to(path)), file.read_bytes()
        return
    total = 0
    for member in members(path, LIMITS):
        if member.name.name in READ and member.content is not None:
            size = len(member.content)
            total += size
            if size > LARGEST or total > MOST:
                raise UserError(
                    f"{path}: {printable(str(member.name))} has {size:,} bytes, unpacked, and what was read "
                    f"before it {total - size:,}: more than results have; do not trust it"
                )
            yield member.name, member.content


def row(path: Path, folder: PurePosixPath, files: dict[str, bytes]) -> dict[str, object]:
    where = f"{path}: {folder}"
    record = parse_record(files[RECORD], f"{where}/{RECORD}")
    if folder.name != record.run:
        raise UserError(f"{where}: is the record of run {record.run!r}; pack it again as it was trained")
    if PREDICTIONS not in files:
        return record.model_dump(mode="json")
    of_images = tested(files[PREDICTIONS], f"{where}/{PREDICTIONS}", record.final.test)
    return {**record.model_dump(mode="json"), **of_images}
