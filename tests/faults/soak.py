"""Run the fuzzers for long and count what came: `make soak`, or `python tests/faults/soak.py --cases 2000`.

A fuzzer is a file fuzz_*.py here with `case(seed, folder)`, which returns what came of one case in words and
raises AssertionError for what must not be. Nothing may compute for 10 seconds, nor wait for 100, nor all
together take 1 GB of memory. A slow one says in LONGEST_SECONDS what it may take, and in ONE_IN
how few of the cases are tried.
"""

import argparse
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NamedTuple

HERE = Path(__file__).parent
LONGEST_SECONDS = 10
LARGEST_BYTES = 1e9


class Fuzzer(NamedTuple):
    case: Callable[[int, Path], str]
    one_in: int
    longest_seconds: int


def fuzzers() -> dict[str, Fuzzer]:
    """Return the fuzzers by name."""
    sys.path.insert(0, str(HERE.parent))  # for what the tests share
    found = {}
    for path in sorted(HERE.glob("fuzz_*.py")):
        module = import_module(f"faults.{path.stem}")
        found[path.stem.removeprefix("fuzz_")] = Fuzzer(
            module.case, getattr(module, "ONE_IN", 1), getattr(module, "LONGEST_SECONDS", LONGEST_SECONDS)
        )
    return found


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise AssertionError("took too long")


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Raise AssertionError after so long a time of computing, or ten times that of waiting.

    Of computing, since the machine may be busy with other things.
    """
    timers = {
        signal.SIGPROF: (signal.ITIMER_PROF, seconds),
        signal.SIGALRM: (signal.ITIMER_REAL, 10 * seconds),
    }
    before = {number: signal.signal(number, too_long) for number in timers}
    try:
        for timer, limit in timers.values():
            signal.setitimer(timer, limit)
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def soak(fuzzer: Fuzzer, seeds: range) -> tuple[Counter[str], list[str]]:
    """Run the seeds in turn; return how often each thing came, and the faults."""
    counts: Counter[str] = Counter()
    faults = []
    for seed in seeds:
        try:
            with tempfile.TemporaryDirectory() as folder, at_most(fuzzer.longest_seconds):
                counts[fuzzer.case(seed, Path(folder))] += 1
        except Exception as error:
            faults.append(f"seed {seed}: {error}\n{traceback.format_exc(limit=-3)}")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    if memory > LARGEST_BYTES:
        faults.append(f"{memory / 1e9:.1f} GB of memory")
    return counts, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="cases of each fuzzer (default: 2000)")
    parser.add_argument("--first", type=int, default=0, help="first seed (default: 0)")
    parser.add_argument("--only", choices=sorted(fuzzers()), help="one fuzzer alone")
    args = parser.parse_args()
    failed = 0
    for name, fuzzer in fuzzers().items():
        if args.only not in (None, name):
            continue
        start = time.monotonic()
        seeds = range(args.first, args.first + -(-args.cases // fuzzer.one_in))
        counts, faults = soak(fuzzer, seeds)
        print(f"{name}: {len(seeds)} cases in {time.monotonic() - start:.0f} s, {len(faults)} faults")
        for what, count in sorted(counts.items()):
            print(f"  {count:6,}  {what}")
        print("\n".join(faults), end="\n" * bool(faults))
        failed += len(faults)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
