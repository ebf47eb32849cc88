"""What the fan-out costs: `cifarbench bench-workflow --output results/bench-workflow.json`.

Times the real workflow on scikit-learn's digits, each question as a ratio of two things measured in the
same round: a job beside its training, two and four cores beside one, packs beside single jobs.
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from cifarbench.config.benchmark import TRACKERS
from cifarbench.files import write_text

SNAKEFILE = Path(__file__).parents[3] / "Snakefile"
KNOBS = {"dataset": "digits", "model": "lenet5", "validation_images": 200, "batch_size": 64}

log = logging.getLogger(__name__)


def bench_workflow(rounds: int, output: Path) -> None:
    """Ask each question `rounds` times, print the medians and write all figures as JSON."""
    measured: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            for name, value in one_round(Path(folder)).items():
                measured.setdefault(name, []).append(value)
    medians = {name: statistics.median(values) for name, values in measured.items()}
    for name, value in medians.items():
        log.info("%-62s %7.2f  (%.2f to %.2f)", name, value, min(measured[name]), max(measured[name]))
    write_text(output, json.dumps({"rounds": rounds, "medians": medians, "all": measured}, indent=1) + "\n")


def one_round(folder: Path) -> dict[str, float]:
    _, data = workflow(folder / "data", runs=1, epochs=1, targets=["data/digits/manifest.json"])
    import_seconds = seconds_of([sys.executable, "-c", "import torch"])
    by_hand, record = one_job(folder, data)
    single, [alone] = workflow(folder / "one", runs=1, epochs=20, data=data)
    again = seconds_of(command(folder / "one", 1))
    rates = {}
    for cores in (2, 4):
        _, records = workflow(folder / f"cores{cores}", runs=cores, epochs=20, cores=cores, data=data)
        rates[cores] = sum(record["images_per_second"] for record in records)
    jobs, _ = workflow(folder / "jobs", runs=8, epochs=1, data=data)
    packed, _ = workflow(folder / "packs", runs=8, epochs=1, pack=8, data=data)
    return {
        **tracker_costs(folder, data),
        "a job beside its training, seconds": by_hand
        - record["seconds"]["train"]
        - record["seconds"]["evaluation"],
        "  of that, importing torch, seconds": import_seconds,
        "snakemake for one run beside its training, seconds": single
        - alone["seconds"]["train"]
        - alone["seconds"]["evaluation"],
        "snakemake with nothing to do, seconds": again,
        "two jobs on --cores 2, images/s beside one job alone": rates[2] / alone["images_per_second"],
        "four jobs on --cores 4, images/s beside one job alone": rates[4] / alone["images_per_second"],
        "eight short runs one by one, time beside one pack of eight": jobs / packed,
    }


def tracker_costs(folder: Path, data: Path) -> dict[str, float]:
    """Return what each tracker that is installed adds to the process of a run of 20 epochs."""
    plain, _ = one_job(folder / "untracked", data, 20)
    return {
        f"{name} told of a run of 20 epochs, seconds": one_job(folder / name, data, 20, "--track", name)[0]
        - plain
        for name in TRACKERS
        if find_spec(name)
    }


def one_job(folder: Path, data: Path, epochs: int = 1, *more: str) -> tuple[float, dict[str, Any]]:
    """Train one run by hand, with more flags; return the seconds of the whole process and the record."""
    flags = [
        part
        for name, value in KNOBS.items()
        if name != "dataset"
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    call = [
        sys.executable,
        "-m",
        "cifarbench",
        "train",
        "--data",
        str(data),
        "--output",
        str(folder / "job"),
        "--epochs",
        str(epochs),
    ]
    seconds = seconds_of([*call, *flags, *more])
    return seconds, json.loads((folder / "job" / "metrics.json").read_text())


def workflow(
    folder: Path,
    runs: int,
    epochs: int,
    cores: int = 1,
    pack: int = 1,
    data: Path | None = None,
    targets: list[str] | None = None,
) -> tuple[float, Any]:
    """Run the workflow in `folder`, with the data of another one; return its seconds and the records.

    With targets, return the folder of the data that they made instead.
    """
    folder.mkdir(parents=True)
    runs_of = {"name": "bench", "title": "Bench", "runs": [{"seed": list(range(runs))}]}
    config = {"pack": pack, "defaults": {**KNOBS, "epochs": epochs}, "studies": [runs_of]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    if data:
        (folder / "data").symlink_to(data.parent.absolute())
    seconds = seconds_of(command(folder, cores, targets or []))
    if targets:
        return seconds, folder / "data" / "digits"
    return seconds, [
        json.loads(path.read_text()) for path in sorted(folder.glob("results/runs/*/metrics.json"))
    ]


def command(folder: Path, cores: int, targets: list[str] | None = None) -> list[str]:
    call = [
        sys.executable,
        "-m",
        "snakemake",
        *(targets or []),
        "--snakefile",
        str(SNAKEFILE),
        "--directory",
        str(folder),
    ]
    return [*call, "--cores", str(cores), "--configfile", str(folder / "config.yaml")]


def seconds_of(call: list[str]) -> float:
    """Return the seconds that a command takes. Raise CalledProcessError with its output if it fails."""
    start = time.perf_counter()
    subprocess.run(
        call, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=SNAKEFILE.parent
    )
    return time.perf_counter() - start
