"""Which runs are trained together in one process."""

import hashlib
from collections.abc import Mapping, Sequence

from cifarbench.plan.grid import Run


def packs(runs: Sequence[Run], size: int, stages: Mapping[str, int]) -> dict[str, list[str]]:
    """Return the ids of the runs in each pack, by the pack's name; a run that is left over has none.

    All runs of a pack share data set and device. Those that only a look may want, in one of `stages`, are of
    one configuration and look, so that all or none of them is wanted.
    """
    groups: dict[tuple[object, ...], list[str]] = {}
    for run in runs:
        stage = stages.get(run.id)
        key = run.config.dataset, run.config.device, stage, stage and run.configuration
        groups.setdefault(key, []).append(run.id)
    chunks = [ids[start : start + size] for ids in groups.values() for start in range(0, len(ids), size)]
    return {hashlib.sha256(" ".join(ids).encode()).hexdigest()[:12]: ids for ids in chunks if len(ids) > 1}
