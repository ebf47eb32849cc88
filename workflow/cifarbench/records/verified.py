"""What `cifarbench verify` found, in `verified.json` beside the runs or their table. No torch here."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from cifarbench.files import read_model, write_text
from cifarbench.records.record import Fingerprint, Record

VERIFIED = "verified.json"


class Origin(NamedTuple):
    """What decides how a run is trained, beside its config and data."""

    source_sha256: str
    model_sha256: str
    torch: str


class Verification(BaseModel):
    """Runs of one configuration and origin, replayed with the code of another, and how they compare."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    configuration: str
    recorded: Origin
    replayed: Origin
    outcome: Literal["bits", "fingerprint", "differs"]
    """The same to the bit, the same but for rounding, or not."""
    compared: str
    """What was, in words: first epoch, first steps, fingerprint."""
    difference: str | None
    fingerprint: Fingerprint | None
    """Of code that repeated the first epoch of an older record, which has none of its own."""
    date: str
    """UTC, ISO 8601."""
    version: str
    """Of cifarbench."""
    runs: list[str]

    @property
    def same(self) -> bool:
        return self.outcome != "differs"


class Verified(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    verifications: list[Verification] = []

    def by_run(self) -> dict[tuple[str, Origin], Verification]:
        """Return the latest verification of each run, by its id and the origin of its record."""
        in_time = sorted(self.verifications, key=lambda v: v.date)
        return {(run, v.recorded): v for v in in_time for run in v.runs}

    def with_new(self, new: Iterable[Verification]) -> "Verified":
        """Return these with new ones, which replace those of the same runs and origin."""
        new = list(new)
        again = {(run, v.recorded) for v in new for run in v.runs}
        kept = [
            v.model_copy(update={"runs": [run for run in v.runs if (run, v.recorded) not in again]})
            for v in self.verifications
        ]
        return Verified(verifications=_merged([v for v in (*kept, *new) if v.runs]))


def _merged(verifications: list[Verification]) -> list[Verification]:
    """Put together what differs in nothing but runs and date, of which the latest is kept."""
    found: dict[str, Verification] = {}
    for v in sorted(verifications, key=lambda v: (v.configuration, v.recorded, v.runs)):
        key = v.model_dump_json(exclude={"runs", "date"})
        before = found.get(key, v.model_copy(update={"runs": []}))
        both = {"runs": before.runs + v.runs, "date": max(before.date, v.date)}
        found[key] = v.model_copy(update=both)
    return list(found.values())


def origin(record: Record) -> Origin:
    code, versions = record.code, record.environment.versions
    return Origin(code.source_sha256, code.model_sha256, versions["torch"])


def read_verified(folder: Path) -> Verified:
    """Read `verified.json` in a folder; nothing is verified where there is none."""
    path = folder / VERIFIED
    return read_model(Verified, path, "cifarbench verify, after removing it") if path.exists() else Verified()


def write_verified(verified: Verified, folder: Path) -> None:
    """Write `verified.json` into a folder, or remove it if nothing is verified."""
    if verified.verifications:
        write_text(folder / VERIFIED, verified.model_dump_json(indent=1) + "\n")
    else:
        (folder / VERIFIED).unlink(missing_ok=True)
