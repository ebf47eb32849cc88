"""What the rules share: the plan of the config, and where each run and data set gets its input from."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

# Snakefiles share their names with Snakemake's own module, so functions are not imported into it.
import cifarbench.config
import cifarbench.download
import cifarbench.errors
import cifarbench.machine
import cifarbench.model_files
import cifarbench.plan

cifarbench.machine.prefer_this_python()

try:
    # A relative path in a config is looked for in the working directory, then beside the config.
    CONFIG = cifarbench.config.locate(
        cifarbench.config.parse(config), [Path(), *(Path(file).parent for file in workflow.configfiles)]
    )
    PLAN = cifarbench.plan.make_plan(CONFIG)
except cifarbench.errors.UserError as error:
    raise WorkflowError(str(error)) from None

RUNS = {run.id: run.config for run in PLAN.runs}
DATASETS = {dataset.name: dataset for dataset in PLAN.datasets}


wildcard_constraints:
    run="|".join(map(re.escape, RUNS)),
    dataset="|".join(map(re.escape, DATASETS)),


def download_url(wildcards):
    return cifarbench.download.address(DATASETS[wildcards.dataset])[0]


def download_sha256(wildcards):
    return cifarbench.download.address(DATASETS[wildcards.dataset])[1]


def archive_of(wildcards):
    """The downloaded archive of a data set, its local file, or nothing to wait for."""
    dataset = DATASETS[wildcards.dataset]
    remote = cifarbench.download.address(dataset)
    if remote:
        return f"data/{dataset.name}/{remote[0].rsplit('/', 1)[-1]}"
    return dataset.source if dataset.source and Path(dataset.source).is_file() else []


def normalise_flags(wildcards, input):
    dataset = DATASETS[wildcards.dataset]
    source = input.get("archive") or dataset.source
    flags = {"source": source, "sha256": dataset.sha256}
    return [part for name, value in flags.items() if value for part in (f"--{name}", value)]


def fingerprint(wildcards):
    """Number of files, bytes and newest change of a source folder: normalise again when these change."""
    source = DATASETS[wildcards.dataset].source
    if not source or not Path(source).is_dir():
        return None
    stats = [path.stat() for path in Path(source).rglob("*")]
    return [len(stats), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]


def manifest_of(wildcards):
    return f"data/{RUNS[wildcards.run].dataset}/manifest.json"


def images_of(wildcards):
    return f"data/{RUNS[wildcards.run].dataset}/images.safetensors"


def own_model(wildcards):
    """The file of a model of the user's own, so that editing it trains again; nothing for built-in ones."""
    path = cifarbench.model_files.model_file(CONFIG, RUNS[wildcards.run].model)
    return [] if path in cifarbench.model_files.BUILTIN_MODELS.values() else str(path)


def train_flags(wildcards, input):
    own = ["--model-file", input.model_file] if input.get("model_file") else []
    return cifarbench.plan.flags(RUNS[wildcards.run]) + own


def gpus(wildcards):
    """One GPU for each run, unless it asks for the CPU or this machine has no NVIDIA device."""
    return int(RUNS[wildcards.run].device != "cpu" and cifarbench.machine.has_nvidia_gpu())
