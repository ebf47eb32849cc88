"""Run the fuzzers for long and count what came: `make soak`, or `python tests/faults/soak.py --cases 2000`.

A fuzzer is a file fuzz_*.py here with `case(seed, folder)`, which returns what came of one case in words and
raises AssertionError for what must not be. Nothing may take 10 seconds, nor all together 1 GB of memory.
"""

import argparse
import importlib.util
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

HERE = Path(__file__).parent
LONGEST_SECONDS = 10
LARGEST_BYTES = 1e9
Case = Callable[[int, Path], str]


def fuzzers() -> dict[str, Case]:
    """Return the fuzzers by name."""
    sys.path.insert(0, str(HERE.parent))  # for what the tests share
    found = {}
    for path in sorted(HERE.glob("fuzz_*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found[path.stem.removeprefix("fuzz_")] = module.case
    return found


def too_long(_signal: int, _frame: FrameType | None) -> None:
    raise AssertionError(f"took more than {LONGEST_SECONDS} s")


def soak(case: Case, seeds: range) -> tuple[Counter[str], list[str]]:
    """Run the seeds in turn; return how often each thing came, and the faults."""
    counts: Counter[str] = Counter()
    faults = []
    for seed in seeds:
        signal.alarm(LONGEST_SECONDS)
        try:
            with tempfile.TemporaryDirectory() as folder:
                counts[case(seed, Path(folder))] += 1
        except Exception as error:
            faults.append(f"seed {seed}: {error}\n{traceback.format_exc(limit=-3)}")
        finally:
            signal.alarm(0)
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
    signal.signal(signal.SIGALRM, too_long)
    failed = 0
    for name, case in fuzzers().items():
        if args.only not in (None, name):
            continue
        start = time.monotonic()
        counts, faults = soak(case, range(args.first, args.first + args.cases))
        print(f"{name}: {args.cases} cases in {time.monotonic() - start:.0f} s, {len(faults)} faults")
        for what, count in sorted(counts.items()):
            print(f"  {count:6,}  {what}")
        print("\n".join(faults), end="\n" * bool(faults))
        failed += len(faults)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
