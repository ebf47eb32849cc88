"""Which runs stand for what the newest ones do, and which are stale.

A run is current if it was trained by the sources, model file, data set and torch of the newest one. If not,
it is stale, unless `cifarbench verify` has replayed it with those and found the same. Nothing is trained
again for that alone, so that no comment costs GPU hours; but the figures of a stale run are not to be
compared with those of the others without a second thought.
"""

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

import pandas as pd

from cifarbench.records.fingerprint import training_source_hash
from cifarbench.records.record import Record
from cifarbench.records.verified import Origin, Verification, Verified

# What is compared with the newest run: its column, the runs that share it (None: all), and its name.
SHARED = (
    ("code.source_sha256", None, "training sources"),
    ("code.model_sha256", "config.model", "model file"),
    ("environment.versions.torch", None, "torch"),
    ("data.images_sha256", "data.name", "data set"),
)
COLUMNS = [column for column, _, _ in SHARED]
ORIGIN = COLUMNS[:3]  # in the order of Origin


class Standing(NamedTuple):
    """Where a run stands, and why in words; none for a current one."""

    state: Literal["current", "verified", "differs", "not verified"]
    words: str = ""

    @property
    def stale(self) -> bool:
        return self.state in ("differs", "not verified")


def standings(table: pd.DataFrame, verified: Verified, here: str | None = None) -> dict[str, Standing]:
    """Return where each recorded run of a table that `collect` made stands.

    The newest run is the one that finished, or was verified, last: of all, of those of the same model, or of
    those on the same data set. `here` are the sources that count in place of its own.
    """
    if "finished" not in table or table["finished"].isna().all():  # no run has a record yet
        return {}
    done = table.dropna(subset=["finished"])
    by_run = verified.by_run()
    replays = [
        by_run.get((run, Origin(*recorded)))
        for run, *recorded in done[["run", *ORIGIN]].itertuples(index=False)
    ]
    newest = newest_of_each(done, replays)
    if here is not None:
        newest["code.source_sha256"] = here
    found, last = (rows[COLUMNS].to_dict("records") for rows in (done, newest))
    return {
        run: standing(of_run, of_newest, replay, here is not None)
        for run, of_run, of_newest, replay in zip(done["run"], found, last, replays, strict=True)
    }


def newest_of_each(done: pd.DataFrame, replays: list[Verification | None]) -> pd.DataFrame:
    """Return for each run what the newest one of all, or of its model or data set, is made from."""
    replayed = done[[replay is not None for replay in replays]]
    facts = [(replay.date, *replay.replayed) for replay in replays if replay]
    then = pd.DataFrame(facts, index=replayed.index, columns=["finished", *ORIGIN])
    both = pd.concat([done, replayed.assign(**then)]).sort_values("finished", kind="stable")
    newest = pd.DataFrame(index=done.index)
    for column, shared_by, _ in SHARED:
        everywhere = both[column].iloc[-1]
        newest[column] = (
            done[shared_by].map(both.groupby(shared_by)[column].last()) if shared_by else everywhere
        )
    return newest


def standing(
    found: dict[str, str], newest: dict[str, str], verification: Verification | None, sources_here: bool
) -> Standing:
    """Compare what a run is made from with what the newest one is."""
    differs = [column for column in found if found[column] != newest[column]]
    if not differs:
        return Standing("current")
    of_newest = Origin(*(newest[column] for column in ORIGIN))
    if verification and verification.replayed == of_newest and "data.images_sha256" not in differs:
        if verification.same:
            return Standing("verified", in_words(verification))
        return Standing("differs", f"trains otherwise now: {verification.difference}")
    reasons = []
    for column, _, name in SHARED:
        if column in differs:
            other = "here now" if sources_here and column == "code.source_sha256" else "the newest run"
            reasons.append(f"{name} {short(found[column])}, {other} {short(newest[column])}")
    return Standing("not verified", "; ".join(reasons))


def in_words(verification: Verification) -> str:
    how = "to the bit" if verification.outcome == "bits" else "but for rounding"
    return (
        f"on {verification.date[:10]} with version {verification.version}, "
        f"the same {how} ({verification.compared})"
    )


def behave_alike(table: pd.DataFrame, verified: Verified) -> bool:
    """Tell whether one version of the sources trains all runs of a table as they were trained."""
    by_run = verified.by_run()
    versions = []
    for run, *recorded in table[["run", *ORIGIN]].itertuples(index=False):
        replay = by_run.get((run, Origin(*recorded)))
        own = {recorded[0]}
        versions.append(own | {replay.replayed.source_sha256} if replay and replay.same else own)
    return bool(set.intersection(*versions))


def short(value: str) -> str:
    """Cut a hash to what tells it from others; a version stays whole."""
    return value[:8] if len(value) == 64 else value


def stale_runs(table: pd.DataFrame, verified: Verified) -> dict[str, str]:
    """Return the stale runs of a table that `collect` made, each with the reason in words."""
    return {run: found.words for run, found in standings(table, verified).items() if found.stale}


def stale_now(records: Iterable[Record], verified: Verified) -> dict[str, str]:
    """Return the runs that are stale beside the sources that are here now."""
    found = standings(origins(records), verified, training_source_hash())
    return {run: where.words for run, where in found.items() if where.stale}


def origins(records: Iterable[Record]) -> pd.DataFrame:
    """Return the columns that `standings` reads, where no table has been collected."""
    columns: Any = {
        "run": True,
        "finished": True,
        "config": {"model"},
        "data": {"name", "images_sha256"},
        "code": {"source_sha256", "model_sha256"},
        "environment": {"versions": {"torch"}},
    }
    return pd.json_normalize([record.model_dump(include=columns) for record in records])
