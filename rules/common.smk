"""What the rules share: the plan of the config, and where each run and data set gets its input from."""

import json
import shlex
import sys
from types import SimpleNamespace
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

# Snakefiles share their names with Snakemake's own module, so functions are not imported into it.
import cifarbench.data.archives
import cifarbench.config.benchmark
import cifarbench.config.flags
import cifarbench.data.catalogue
import cifarbench.errors
import cifarbench.machine
import cifarbench.models.catalogue
import cifarbench.plan.packs
import cifarbench.plan.plan
import cifarbench.sweep.expectation

cifarbench.machine.prefer_this_python()

# The shell of a job waits for its command when it is told to stop. It would die at once, the job would pass for
# over, and the batch system would kill the training that is still saving itself.
shell.prefix("trap : TERM; ")

try:
    # A relative path in a config is looked for in the working directory, then beside the config.
    CONFIG = cifarbench.config.benchmark.locate(
        cifarbench.config.benchmark.parse(config),
        [Path(), *(Path(file).parent for file in workflow.configfiles)],
    )
    PLAN = cifarbench.plan.plan.make_plan(CONFIG)
except cifarbench.errors.UserError as error:
    raise WorkflowError(str(error)) from None

RUNS = {run.id: run.config for run in PLAN.runs}
PACKS = cifarbench.plan.packs.packs(PLAN.runs, CONFIG.pack)
PACK_OF = {run: pack for pack, runs in PACKS.items() for run in runs}
DATASETS = {dataset.name: dataset for dataset in PLAN.datasets}
ARCHIVES = {name: cifarbench.data.catalogue.downloads(dataset) for name, dataset in DATASETS.items()}


wildcard_constraints:
    run="[^/]+",
    dataset="|".join(map(re.escape, DATASETS)),
    archive="|".join(re.escape(name) for names in ARCHIVES.values() for name in names) or "(?!)",
    pack="[^/]+",


def records():
    return expand("results/runs/{run}/metrics.json", run=RUNS)


def run_config(wildcards):
    if wildcards.run not in RUNS:
        raise WorkflowError(f"{wildcards.run!r} is none of this config's {len(RUNS)} runs; see snakemake -n")
    return RUNS[wildcards.run]


def archive_of(wildcards):
    return ARCHIVES[wildcards.dataset][wildcards.archive]


def source_of(wildcards):
    """The downloaded archive of a data set, its local archive or folder, or nothing (digits)."""
    downloaded = [f"data/{wildcards.dataset}/{name}" for name in ARCHIVES[wildcards.dataset]]
    return downloaded or DATASETS[wildcards.dataset].source or []


def source_flags(wildcards, input):
    flags = {"source": input.get("source"), "sha256": DATASETS[wildcards.dataset].sha256}
    return [part for name, value in flags.items() if value for part in (f"--{name}", value)]


def content_of(wildcards):
    """The hash of the source, wherever it lies: only another content is normalised again."""
    dataset = DATASETS[wildcards.dataset]
    remote = ARCHIVES[dataset.name].values()
    if remote or dataset.source is None or not Path(dataset.source).exists():
        return " ".join(archive.sha256 for archive in remote) or None
    manifest = Path("data", dataset.name, "manifest.json")
    recorded = json.loads(manifest.read_text())["source_sha256"] if manifest.exists() else None
    return cifarbench.data.archives.known_sha256(Path(dataset.source), manifest, recorded)


def manifest_of(wildcards):
    return f"data/{run_config(wildcards).dataset}/manifest.json"


def images_of(wildcards):
    return f"data/{run_config(wildcards).dataset}/images.safetensors"


def own_model(wildcards):
    """The file of a model of the user's own, so that editing it trains again; nothing for built-in ones."""
    path = cifarbench.models.catalogue.model_file(CONFIG, run_config(wildcards).model)
    return [] if path in cifarbench.models.catalogue.BUILTIN_MODELS.values() else str(path)


def train_flags(wildcards, input):
    own = ["--model-file", input.model_file] if input.get("model_file") else []
    return cifarbench.config.flags.flags(run_config(wildcards)) + own


def pack_of(wildcards):
    """The pack that trains this run before its own job, which then has little to do.

    Nothing without packs, nor for a run that has a record: a pack with a new member would train it again.
    """
    done = Path("results/runs", wildcards.run, "metrics.json").exists()
    pack = None if done else PACK_OF.get(wildcards.run)
    return f"results/packs/{pack}.done" if pack else []


def pack_members(wildcards):
    if wildcards.pack not in PACKS:
        raise WorkflowError(
            f"{wildcards.pack!r} is none of this config's {len(PACKS)} packs; see snakemake -n"
        )
    return [SimpleNamespace(run=run) for run in PACKS[wildcards.pack]]


def first_of(wildcards):
    """The first run of a pack; all have the same data set and device."""
    return pack_members(wildcards)[0]


def own_models(wildcards):
    return sorted({path for run in pack_members(wildcards) for path in [own_model(run)] if path})


def pack_flags(wildcards):
    members = pack_members(wildcards)
    return [shlex.join(train_flags(run, {"model_file": own_model(run)})) for run in members]


def bench_figures(_wildcards):
    """What `make bench` measured, if it has run."""
    return "results/bench.json" if Path("results/bench.json").exists() else []


def gpus(wildcards):
    """One GPU for each run, unless it asks for the CPU, or is trained here and there is no NVIDIA device.

    What the machines of a cluster have, this one cannot tell.
    """
    found = workflow.non_local_exec_or_dryrun or cifarbench.machine.has_nvidia_gpu()
    return int(run_config(wildcards).device != "cpu" and found)


def train_minutes(wildcards, input, attempt):
    return cifarbench.sweep.expectation.minutes(
        [run_config(wildcards)], input.manifest, Path("results/runs"), attempt
    )


def pack_minutes(wildcards, input, attempt):
    configs = [run_config(run) for run in pack_members(wildcards)]
    return cifarbench.sweep.expectation.minutes(configs, input.manifest, Path("results/runs"), attempt)


def megabytes(_wildcards, input, attempt):
    return cifarbench.sweep.expectation.megabytes(input.images, attempt)
