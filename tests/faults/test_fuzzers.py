"""Each fuzzer, for a few seconds; `make soak` runs them for long."""

import signal

import pytest

from faults.soak import fuzzers, soak, too_long

CASES = {"archives": 60, "configs": 60, "kills": 30, "tables": 60}


@pytest.mark.parametrize("name", sorted(fuzzers()))
def test_nothing_comes_but_what_may(name: str) -> None:
    before = signal.signal(signal.SIGALRM, too_long)
    try:
        counts, faults = soak(fuzzers()[name], range(CASES[name]))
    finally:
        signal.signal(signal.SIGALRM, before)
    faults = [fault for fault in faults if "GB of memory" not in fault]  # of the whole suite's process
    assert not faults, "\n".join(faults)
    assert sum(counts.values()) == CASES[name]
    assert len(counts) > 1  # where kills fall depends on the machine
