"""The zip that comes back: written whole, gone on from, and refused where it is not what was written."""

import stat
import zipfile
from pathlib import Path

import pytest

from cifarbench.bundle.results import restore_results, write_results
from cifarbench.errors import UserError
from cifarbench.records.folder import CHECKPOINT, LOG, PACKED, PREDICTIONS, RECORD

RUNS = ("done", "half")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for run, names in (("done", (RECORD, PREDICTIONS, LOG)), ("half", (CHECKPOINT, LOG))):
        for name in names:
            path = tmp_path / "runs" / run / PACKED / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{run} {name}")
    return tmp_path / "runs"


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_restored_but_for_what_is_there(folder: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "back.zip", folder, RUNS)
    other = tmp_path / "other"
    restore_results(tmp_path / "back.zip", other, RUNS)
    assert files(other) == files(folder)
    newer = other / "half" / PACKED
    (newer / CHECKPOINT).write_text("newer")
    (newer / LOG).unlink()
    restore_results(tmp_path / "back.zip", other, RUNS)
    assert (newer / CHECKPOINT).read_text() == "newer"
    assert (newer / LOG).exists()


def test_a_run_that_is_done_gets_no_checkpoint_back(folder: Path, tmp_path: Path) -> None:
    write_results(tmp_path / "back.zip", folder, RUNS)
    done = tmp_path / "other" / "half" / PACKED
    done.mkdir(parents=True)
    (done / RECORD).write_text("done since")
    restore_results(tmp_path / "back.zip", tmp_path / "other", RUNS)
    assert not (done / CHECKPOINT).exists()


def test_without_a_zip_there_is_nothing_to_restore(tmp_path: Path) -> None:
    restore_results(tmp_path / "none.zip", tmp_path / "runs", RUNS)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("kept", [0, 10, 0.5, -1])
def test_a_truncated_zip_is_refused(folder: Path, tmp_path: Path, kept: float) -> None:
    path = tmp_path / "back.zip"
    write_results(path, folder, RUNS)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole)) if 0 < kept < 1 else int(kept)])
    assert_refused(path, tmp_path, "cannot be gone on from")


def test_a_flipped_bit_is_seen_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "back.zip"
    write_results(path, folder, RUNS)
    content = bytearray(path.read_bytes())
    content[content.index(b"half " + CHECKPOINT.encode())] ^= 1
    path.write_bytes(content)
    assert_refused(path, tmp_path, "damaged")


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "/tmp/evil.py",
        f"runs/../{RECORD}",
        f"runs/done/../../{RECORD}",
        f"runs/stranger/{RECORD}",
        f"runs\\done\\{RECORD}",
        f"runs/done/{CHECKPOINT}",
        "runs/done/weights.pt",
        f"code/done/{RECORD}",
        "runs/done/",
    ],
)
def test_a_path_that_no_bundle_writes_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "back.zip", "w") as archive:
        archive.writestr(f"runs/done/{RECORD}", "fine")
        archive.writestr(name, "evil")
    assert_refused(tmp_path / "back.zip", tmp_path, "no result of a run of this bundle")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_is_there_twice_a_link_and_a_bomb_are_refused(tmp_path: Path) -> None:
    name, path = f"runs/done/{LOG}", tmp_path / "back.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "one")
        archive.writestr(name, "two")
    assert_refused(path, tmp_path, "no result")
    link = zipfile.ZipInfo(name)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert_refused(path, tmp_path, "is a link")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(5_000_000))
    assert_refused(path, tmp_path, "a bomb")


def assert_refused(path: Path, tmp_path: Path, why: str) -> None:
    with pytest.raises(UserError, match=why) as refused:
        restore_results(path, tmp_path / "restored", RUNS)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "restored").exists()
