"""The shipped profiles on a real Slurm: whatever happens to a job, its training ends with the same bits."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from cifarbench.cli.parser import main
from cifarbench.config.flags import flags
from cifarbench.config.ids import run_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.plan.stored import read_plan
from cifarbench.records.folder import CHECKPOINT, RECORD
from cifarbench.records.record import read_record
from cifarbench.sweep.status import sweep_status
from helpers.repository import REPOSITORY, SMALL, lacking, needs, snakemake_command, trained, write_config
from helpers.slurm import GPUS, NODES, Slurm, wait_until
from helpers.training import same_result

KNOBS = {"model": "slow", "epochs": 20}
SEEDS = range(len(NODES) * GPUS + 1)  # one more than can be trained at once


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    for program in ("munged", "slurmctld", "slurmd", "unshare", "setpriv"):
        needs(program)
    if subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], check=False).returncode != 0:
        lacking("a Slurm of our own needs root, and the right to make namespaces")
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def folder(digits: Path, tmp_path: Path) -> Path:
    """Return a working directory with a config of one run for each seed, and its data."""
    shutil.copytree(digits, tmp_path / "data/digits")
    shutil.copy(Path(__file__).with_name("slow_model.py"), tmp_path / "slow.py")
    write_config(tmp_path, {**KNOBS, "seed": list(SEEDS)}, models=[{"name": "slow", "file": "slow.py"}])
    return tmp_path


def call(folder: Path, profile: str, *arguments: str) -> list[str]:
    """Return the command that trains all runs on the cluster, makes no report, and often asks how it goes."""
    often = ["--slurm-init-seconds-before-status-checks", "1"]
    target = ["--configfile", str(folder / "config.yaml"), "--until", "train"]
    return snakemake_command(
        folder, "--workflow-profile", str(REPOSITORY / "profiles" / profile), *often, *arguments, *target
    )


class Job(NamedTuple):
    number: str
    run: str
    state: str
    node: str


def jobs(slurm: Slurm, *which: str) -> list[Job]:
    """Return the trainings in the queue; with --states=all those that have ended, too."""
    lines = slurm.run("squeue", "--noheader", "--format=%i|%k|%T|%N", *which).splitlines()
    found = [Job(*line.split("|")) for line in lines]
    mark = "rule_train_wildcards_"
    return [job._replace(run=job.run.removeprefix(mark)) for job in found if job.run.startswith(mark)]


def state(slurm: Slurm, number: str) -> str:
    return slurm.run("squeue", "--noheader", "--format=%T", "--states=all", f"--jobs={number}").strip()


class Fates(NamedTuple):
    cancelled: Job
    overdue: Job
    displaced: Job
    crashed: Job


def meet_faults(slurm: Slurm, folder: Path) -> Fates:
    """Wait until a training runs on each GPU, and hit each one in another way."""

    def training() -> list[Job]:
        running = [job for job in jobs(slurm) if job.state == "RUNNING"]
        return [job for job in running if (folder / "results/runs" / job.run / CHECKPOINT).exists()]

    wait_until(lambda: len(training()) == len(NODES) * GPUS, "a training runs on each GPU")
    cancelled, overdue, *others = sorted(training(), key=lambda job: job.node)
    slurm.run("scancel", cancelled.number)
    soon = time.strftime("%FT%T", time.localtime(time.time() + 1))
    slurm.run("scontrol", "update", f"JobId={overdue.number}", f"EndTime={soon}")

    urgent = ["--partition=urgent", f"--nodelist={NODES[1]}", "--gpus=1", "--mem=100", "--no-requeue"]
    quiet = "--output=/dev/null"
    number = slurm.run("sbatch", "--parsable", *urgent, quiet, "--wrap=sleep 1000").strip()
    wait_until(lambda: state(slurm, number) == "RUNNING", "a job of a higher partition has a GPU")
    [displaced] = [job for job in others if state(slurm, job.number) == "PENDING"]
    [crashed] = [job for job in others if job != displaced]
    slurm.crash(NODES[1])
    slurm.start_node(NODES[1])
    wait_until(lambda: state(slurm, overdue.number) == "TIMEOUT", "a training is over its time limit")
    return Fates(cancelled, overdue, displaced, crashed)


def test_whatever_happens_to_a_job_its_training_ends_with_the_same_bits(slurm: Slurm, folder: Path) -> None:
    (folder / "slow").mkdir()  # a file that the model names would be a part of it
    command = call(folder, "slurm", "--set-resources", "train:checkpoint_minutes=0")  # at each step
    with subprocess.Popen(command, env=slurm.environment) as controller:
        try:
            fates = meet_faults(slurm, folder)

            def again() -> list[str]:
                mine = [job.number for job in jobs(slurm) if job.run == fates.cancelled.run]
                return [number for number in mine if number != fates.cancelled.number]

            wait_until(again, "Snakemake has submitted again what was cancelled")
        finally:
            controller.kill()
    slurm.run("scancel", *again())  # so that something is left undone
    (folder / "slow").rmdir()
    for seed in SEEDS:
        train_here(folder, seed)
    wait_until(lambda: not jobs(slurm), "what is in the queue goes on without Snakemake")
    done = times(folder)
    assert {fates.displaced.run, fates.crashed.run} < done.keys()
    assert fates.cancelled.run not in done
    check_half_way(folder, fates)

    subprocess.run([*command, "--unlock"], check=True, env=slurm.environment)
    rest = subprocess.run(command, check=True, env=slurm.environment, stdout=subprocess.PIPE, text=True)
    assert times(folder).items() > done.items()
    assert set(trained(rest.stdout)).isdisjoint(done)
    check_results(folder, fates)


def check_half_way(folder: Path, fates: Fates) -> None:
    """Look at the sweep as it is, half done: what was stopped waits to go on, and there is a report."""
    plan, runs = folder / "results/plan.json", folder / "results/runs"
    assert main(["plan", str(folder / "config.yaml"), "--runs", str(runs), "--output", str(plan)]) == 0
    states = {run: status.state for run, status in sweep_status(read_plan(plan), runs).runs.items()}
    assert {run for run, state in states.items() if state == "done"} == times(folder).keys()
    assert states[fates.cancelled.run] == "interrupted"
    where = ["--runs", str(runs), "--data", str(folder / "data"), "--output", str(folder / "reports")]
    assert main(["report", str(plan), *where]) == 0
    page = (folder / "reports/index.html").read_text()
    assert "interrupted and saved; snakemake goes on from there" in page
    assert fates.cancelled.run in page


def check_results(folder: Path, fates: Fates) -> None:
    """Compare each run with its twin; what was hit went on from a checkpoint, and no GPU had two at once."""
    records = {run: read_record(folder / "results/runs" / run / RECORD) for run in times(folder)}
    assert {run for run, record in records.items() if record.resumptions} == {job.run for job in fates}
    assert len(records) == len(SEEDS)
    for run in records:
        assert same_result(folder / "results/runs" / run, folder / "here" / run)
    for job in (fates.cancelled, fates.overdue):  # and not before it had saved itself
        log = folder / f".snakemake/slurm_logs/rule_train/{job.run}/{job.number}.log"
        assert "returned non-zero exit status 75" in log.read_text()
    gpus = {f"{node}-{number}" for node in NODES for number in range(GPUS)}
    assert {path.name for path in folder.glob("node*")} == gpus


def times(folder: Path) -> dict[str, int]:
    """Return when each run that is done was so."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob(f"results/runs/*/{RECORD}")}


def train_here(folder: Path, seed: int) -> None:
    """Train a run in this process, as what the cluster's result is compared with."""
    config = TrainConfig(**{**SMALL, **KNOBS, "seed": seed})
    output = folder / "here" / run_id(config)
    own = f"--model-file {folder}/slow.py --data {folder}/data/digits --output {output}"
    assert main(["train", *flags(config), *own.split()]) == 0


@pytest.mark.parametrize(
    ("profile", "value", "asked", "reason"),
    [
        (
            "slurm",
            ["--set-resources", "train:gpu=9"],
            "--gpus=9",
            "Requested node configuration is not available",
        ),
        (
            "slurm-gres",
            ["--default-resources", "slurm_partition=gone"],
            "--gres=gpu:1",
            "invalid partition specified: gone",
        ),
    ],
)
def test_the_reason_why_slurm_refuses_a_job_is_shown(
    slurm: Slurm, folder: Path, profile: str, value: list[str], asked: str, reason: str
) -> None:
    command = call(folder, profile, *value, "--retries", "0")
    result = subprocess.run(command, env=slurm.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert reason in result.stdout + result.stderr
    assert asked in result.stdout + result.stderr
