"""This machine, as Snakemake must know it before any job starts; without torch."""

import os
import sys
from pathlib import Path

# Collects and renders whatever is done, for a look at a sweep that is half-way or has failed.
PARTIAL_REPORT = (
    "python -m cifarbench collect results/plan.json --output results/partial.parquet"
    " && python -m cifarbench pictures results/plan.json results/partial.parquet"
    " --output results/partial-pictures.parquet"
    " && python -m cifarbench report results/plan.json results/partial.parquet"
    " --pictures results/partial-pictures.parquet --output reports"
)


def prefer_this_python() -> None:
    """Let `python -m cifarbench` in a job mean this interpreter and this package, installed or not."""
    package = str(Path(__file__).parents[1])
    for name, first in (("PATH", str(Path(sys.executable).parent)), ("PYTHONPATH", package)):
        others = os.environ.get(name)
        os.environ[name] = os.pathsep.join([first, others] if others else [first])


def has_nvidia_gpu() -> bool:
    return Path("/dev/nvidia0").exists()
