"""What many runs cost before and after training: `cifarbench bench-scale --output results/bench-scale.json`.

Times `snakemake --dry-run` of N runs beside Snakemake's floor, a Snakefile of the same shape whose rules hold
nothing, in turn; then `collect` and `status` at the most runs, on copies of the record of one real training.
Peak memory is that of the largest process.
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from safetensors.numpy import save_file

from cifarbench.bench.workflow import KNOBS, SNAKEFILE, one_job, workflow
from cifarbench.config.benchmark import parse
from cifarbench.config.reading import read
from cifarbench.files import write_text
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import write_plan
from cifarbench.records.folder import PREDICTIONS, RECORD
from cifarbench.records.record import Record, read_record

SIZES = (100, 1000, 10_000)
SEEDS = 10
EPOCHS = 20  # of a record, which is as long as they are
TEST_IMAGES = 10_000  # of CIFAR-10
FLOOR = """
rule all:
    input: "reports/index.html", expand("results/runs/{{run}}/metrics.json", run=range({runs}))
rule normalise:
    output: "data/images.safetensors", "data/manifest.json"
    shell: "true"
rule plan:
    output: "results/plan.json"
    shell: "true"
rule train:
    input: "data/manifest.json", ancient("data/images.safetensors")
    output:
        "results/runs/{{run}}/metrics.json",
        "results/runs/{{run}}/weights.safetensors",
        "results/runs/{{run}}/predictions.safetensors",
    log: "results/runs/{{run}}/train.log"
    shell: "true"
rule collect:
    input: "results/plan.json", expand("results/runs/{{run}}/metrics.json", run=range({runs}))
    output: "results/runs.parquet"
    shell: "true"
rule pictures:
    input: "results/plan.json", "results/runs.parquet"
    output: "results/pictures.parquet"
    shell: "true"
rule report:
    input: "results/plan.json", "results/runs.parquet", "results/pictures.parquet"
    output: "reports/index.html"
    shell: "true"
"""

# In a process of its own, because Linux counts what the one that starts a command holds as the command's
METER = """
import resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
if done.returncode:
    sys.exit(done.stdout.decode())
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

log = logging.getLogger(__name__)


class Cost(NamedTuple):
    seconds: float
    peak_bytes: int


def bench_scale(rounds: int, output: Path, sizes: Sequence[int] = SIZES) -> None:
    """Measure all `rounds` times, print the medians and write all figures as JSON."""
    measured: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as folder:
        results = fill(Path(folder) / "records", sizes[-1])
        for _ in range(rounds):
            for name, cost in one_round(Path(folder), sizes, results).items():
                measured.setdefault(name, []).append(cost)
    medians = {
        name: Cost(*map(statistics.median, zip(*costs, strict=True))) for name, costs in measured.items()
    }
    for name, cost in medians.items():
        log.info("%-40s %8.1f s %8.0f MB", name, cost.seconds, cost.peak_bytes / 1e6)
    write_text(output, json.dumps({"rounds": rounds, "medians": medians, "all": measured}, indent=1) + "\n")


def one_round(folder: Path, sizes: Sequence[int], results: Path) -> dict[str, Cost]:
    costs = {}
    for runs in sizes:
        costs[f"snakemake -n, {runs} runs"] = cost(dry_run(folder / str(runs), runs))
        costs[f"snakemake -n, {runs} runs, floor"] = cost(floor(folder / f"floor{runs}", runs))
    verb = [sys.executable, "-m", "cifarbench"]
    plan, runs_folder = str(results / "plan.json"), str(results / "runs")
    table = ["--output", str(results / "runs.parquet")]
    costs[f"collect, {sizes[-1]} records"] = cost([*verb, "collect", plan, "--runs", runs_folder, *table])
    costs[f"status, {sizes[-1]} records"] = cost([*verb, "status", plan])
    return costs


def cost(call: list[str]) -> Cost:
    """Run a command; raise CalledProcessError if it fails, its words on standard error."""
    metered = [sys.executable, "-c", METER, *call]
    done = subprocess.run(metered, check=True, stdout=subprocess.PIPE, text=True, cwd=SNAKEFILE.parent)
    seconds, kilobytes = done.stdout.split()
    return Cost(float(seconds), int(kilobytes) * 1024)


def dry_run(folder: Path, runs: int) -> list[str]:
    path = write_config(folder, runs)
    return [*snakemake(folder, SNAKEFILE), "--configfile", str(path)]


def floor(folder: Path, runs: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "Snakefile", FLOOR.format(runs=runs))
    return [*snakemake(folder, folder / "Snakefile"), "--workflow-profile", "profiles/default"]


def snakemake(folder: Path, snakefile: Path) -> list[str]:
    call = [sys.executable, "-m", "snakemake", "--dry-run", "--cores", "2", "--snakefile", str(snakefile)]
    return [*call, "--directory", str(folder)]


def write_config(folder: Path, runs: int) -> Path:
    """Write the config of so many runs: learning rates, each with SEEDS seeds."""
    rates = [round(1e-4 * 1.01**k, 12) for k in range(runs // SEEDS)]
    grid = {"learning_rate": rates, "seed": list(range(SEEDS)), "epochs": EPOCHS}
    study = {"name": "rates", "title": "Rates", "runs": [grid]}
    path = folder / "config.yaml"
    write_text(path, yaml.safe_dump({"defaults": KNOBS, "studies": [study]}))
    return path


def fill(folder: Path, runs: int) -> Path:
    """Train one run, and write its record for each of many; return the folder of the results."""
    _, data = workflow(folder / "data", runs=1, epochs=1, targets=["data/digits/manifest.json"])
    one_job(folder, data, EPOCHS)
    record = read_record(folder / "job" / RECORD)
    predictions = folder / PREDICTIONS
    classes = np.zeros(TEST_IMAGES, np.int16)
    probability = np.ones(TEST_IMAGES, np.float32)
    save_file({"label": classes, "predicted": classes, "probability": probability}, predictions)
    plan = make_plan(parse(read(write_config(folder, runs))))
    write_records(plan, record, predictions, folder / "results" / "runs")
    write_plan(plan, folder / "results" / "plan.json")
    return folder / "results"


def write_records(plan: Plan, record: Record, predictions: Path, runs_folder: Path) -> None:
    """Write the record for each run, with the predictions that `fill` makes, all of them right."""
    test = record.final.test.model_copy(update={"images": TEST_IMAGES, "top1": 1.0})
    final = record.final.model_copy(update={"test": test})
    for run in plan.runs:
        own = {"run": run.id, "configuration": run.configuration, "config": run.config, "final": final}
        write_text(runs_folder / run.id / RECORD, record.model_copy(update=own).model_dump_json(indent=1))
        (runs_folder / run.id / PREDICTIONS).hardlink_to(predictions)
