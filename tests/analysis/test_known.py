"""Known results, a table or an archive of runs: what is read, and what is refused whole."""

import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from cifarbench.analysis.adopt import Here, adopt, choose
from cifarbench.analysis.known import read_known
from cifarbench.analysis.table import records_in, write_table
from cifarbench.config.benchmark import ReadOptions
from cifarbench.errors import UserError
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import PREDICTIONS, RECORD
from cifarbench.records.record import write_record
from helpers.known import PUBLISHED, of
from helpers.repository import REPOSITORY

VERSION1 = REPOSITORY / "tests" / "records" / "version1"


def predictions_of(row: pd.Series) -> bytes:
    """Return predictions that are right where a table says so."""
    images = int(row["final.test.images"])
    right = np.unpackbits(np.frombuffer(row["correct"], np.uint8), count=images).astype(bool)
    label = np.zeros(images, np.int64)
    predicted = np.where(right, 0, 1)
    return save({"label": label, "predicted": predicted, "probability": np.full(images, 0.5, np.float32)})


@pytest.fixture
def folder(tmp_path: Path, published: pd.DataFrame) -> Path:
    """Return a folder of runs, as they are trained, without weights."""
    for record, (_, row) in zip(records_in(published), published.iterrows(), strict=True):
        run = tmp_path / "back" / "runs" / record.run
        run.mkdir(parents=True)
        write_record(record, run)
        (run / PREDICTIONS).write_bytes(predictions_of(row))
        (run / "train.log").write_text("epoch 1\n")
    return tmp_path / "back"


def packed_zip(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.with_name("back")), "zip", folder))


def packed_tar(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder.with_name("back")), "xztar", folder / "runs"))


@pytest.mark.parametrize("pack", [packed_zip, packed_tar, lambda folder: folder])
def test_an_archive_or_folder_of_runs_is_known_results_too(
    folder: Path,
    plan: Plan,
    here: Here,
    runs: Path,
    published: pd.DataFrame,
    pack: Callable[[Path], Path],
) -> None:
    found = choose(of(pack(folder)), plan, here, runs)
    assert sorted(found.runs) == sorted(published["run"])
    adopt(found, plan, runs)
    for run in found.runs:
        for name in (PREDICTIONS, "train.log"):
            assert (runs / run / name).read_bytes() == (folder / "runs" / run / name).read_bytes()


def hostile() -> Iterator[tuple[str, Callable[[Path], object], str]]:
    def escaping(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"../../{RECORD}", "{}")

    def link(path: Path) -> None:
        with tarfile.open(path, "w:xz") as archive:
            member = tarfile.TarInfo(f"run/{RECORD}")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)

    def bomb(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"run/{RECORD}", bytes(10_000_000))

    def empty(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")

    def broken(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"runs/a/{RECORD}", "{")

    def bombs(path: Path) -> None:
        """Each is small enough for a checkpoint, and larger than anything that is read."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("run/train.log", bytes(1001))

    yield "a.zip", bombs, "a.zip: run/train.log has 1,001 bytes, unpacked, and what was read before it 0"
    yield "a.zip", escaping, "points outside the archive"
    yield "a.tar.xz", link, "is a link or device"
    yield "a.zip", bomb, "has 10,000,000 bytes, above the 8,000,000"
    yield "a.zip", empty, f"holds no results: there is no {RECORD} in it"
    yield "a.zip", broken, f"a.zip: runs/a/{RECORD}: "
    yield "a.parquet", lambda path: path.write_bytes(b"PAR1, but no more"), "cannot be read"
    yield "a.txt", lambda path: path.write_text("runs"), "is no archive that can be read"
    yield "a.parquet", lambda path: pd.DataFrame({"x": [1]}).to_parquet(path), "is no table of results"
    yield "gone.parquet", lambda _: None, "known results cannot be read: No such file"


@pytest.mark.parametrize(("name", "make", "line"), list(hostile()))
def test_what_is_no_result_is_one_line_and_nothing_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    fails: Callable[..., str],
    name: str,
    make: Callable[[Path], None],
    line: str,
) -> None:
    monkeypatch.setattr(
        "cifarbench.analysis.known.LIMITS", ReadOptions(max_pixels=10**6)
    )  # that of results is a gigabyte
    monkeypatch.setattr("cifarbench.analysis.known.LARGEST", 1000)
    make(tmp_path / name)
    call = ["adopt", tmp_path / name, "--plan", PUBLISHED / "plan.json", "--runs", tmp_path / "runs"]
    assert line in fails(*call, "--data", tmp_path)
    assert not (tmp_path / "runs").exists()


def later(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(schema_version=99)


def another_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{"final.test.top1": table["final.test.top1"] + 0.5 / table["final.test.images"]})


def no_number(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{"final.test.top1": [float("nan"), *table["final.test.top1"][1:]]})


def no_share(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{"final.test.top1": [float("inf"), *table["final.test.top1"][1:]]})


def no_such_epoch(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{"final.epoch": 0})


def no_epochs(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(epochs=[[] for _ in table["epochs"]])


def another_loss(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{"final.test.loss": table["final.test.loss"] + 0.1})


def a_run_twice(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[:1]])


def other_bits(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(correct=[bytes(len(bits)) for bits in table["correct"]])


def another_fingerprint(table: pd.DataFrame) -> pd.DataFrame:
    """Change it in the second of two seeds."""
    [same, *_] = [rows for _, rows in table.groupby("configuration") if len(rows) > 1]
    losses = table["fingerprint.losses"].copy()
    losses[same.index[1]] = losses[same.index[1]] * (1 + 1e-9)
    return table.assign(**{"fingerprint.losses": losses})


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (another_fingerprint, "runs of the same sources differ in their fingerprints, in the losses"),
        (later, "schema_version 99 is not known"),
        (another_accuracy, "is no share of"),
        (other_bits, "images are right by its accuracy, but 0 by what it keeps of each"),
        (no_number, r"column 'final\.test\.top1': None is not allowed"),
        (no_share, "accuracy inf is no share of 10000 images"),
        (no_such_epoch, "keeps epoch 0 of "),
        (no_epochs, "keeps epoch [0-9]+ of 0"),
        (another_loss, r"test loss [0-9.]+ at the end, but [0-9.]+ in its curve"),
        (a_run_twice, "has two rows; make it again"),
    ],
)
def test_a_table_that_was_changed_is_refused_whole(
    known: Path,
    plan: Plan,
    here: Here,
    runs: Path,
    published: pd.DataFrame,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    line: str,
) -> None:
    write_table(change(published), known)
    with pytest.raises(UserError, match=line):
        choose(of(known), plan, here, runs)


def test_a_config_that_is_not_that_of_the_id_is_refused(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    write_table(published.assign(**{"config.learning_rate": 0.5}), known)
    found = choose(of(known), plan, here, runs)
    with pytest.raises(UserError, match=r"learning_rate is 0\.5, but .* by its id; the table was changed"):
        adopt(found, plan, runs)
    write_table(published.assign(configuration="another"), known)
    found = choose(of(known), plan, here, runs)
    with pytest.raises(UserError, match=r"configuration is 'another', but .* by its id; the table was"):
        adopt(found, plan, runs)
    assert not runs.exists()


def test_images_that_differ_within_what_is_known_are_refused(
    known: Path, plan: Plan, here: Here, runs: Path, published: pd.DataFrame
) -> None:
    """Where they are not normalised yet, nothing else tells which are meant."""
    mixed = published["data.images_sha256"].where(published.index > 0, "f" * 64)
    write_table(published.assign(**{"data.images_sha256": mixed}), known)
    with pytest.raises(UserError, match="data set 'cifar10' has other images in each"):
        choose(of(known), plan, here._replace(images={}), runs)
    assert len(choose(of(known), plan, here, runs).runs) == len(published) - 1


def test_records_from_before_there_were_fingerprints_are_read(tmp_path: Path) -> None:
    record = VERSION1 / "metrics.json"
    run = json.loads(record.read_text())["run"]
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        archive.write(record, f"{run}/{RECORD}")
    assert read_known(tmp_path / "old.zip")["run"].tolist() == [run]


def test_a_word_that_is_no_known_result_is_told(fails: Callable[..., str]) -> None:
    assert "known.tabel: unknown key; did you mean 'table'?" in fails("adopt", "{tabel: x}")
    assert "it is no YAML" in fails("adopt", "{table: [")
    assert "it must be NAME=FILE" in fails("adopt", "a.zip", "--model-file", "mine.py")
