"""The fuzzers that are fast, for a few seconds; `make soak` runs all of them for long.

Trainings and Snakemake are killed by it alone; tests/training/test_checkpoint.py kills a training ten times.
"""

import pytest

from faults.soak import fuzzers, soak

CASES = {"archives": 60, "configs": 60, "kills": 20, "tables": 60}


@pytest.mark.parametrize("name", sorted(CASES))
def test_nothing_comes_but_what_may(name: str) -> None:
    counts, faults = soak(fuzzers()[name], range(CASES[name]))
    faults = [fault for fault in faults if "GB of memory" not in fault]  # of the whole suite's process
    assert not faults, "\n".join(faults)
    assert sum(counts.values()) == CASES[name]
    assert len(counts) > 1  # where kills fall depends on the machine
