"""Which runs are trained together in one process."""

import hashlib
from collections.abc import Sequence

from cifarbench.plan.grid import Run


def packs(runs: Sequence[Run], size: int) -> dict[str, list[str]]:
    """Return the ids of the runs in each pack, by the pack's name; a run that is left over has none.

    All runs of a pack share data set and device.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        groups.setdefault((run.config.dataset, run.config.device), []).append(run.id)
    chunks = [ids[start : start + size] for ids in groups.values() for start in range(0, len(ids), size)]
    return {hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]: ids for ids in chunks if len(ids) > 1}
