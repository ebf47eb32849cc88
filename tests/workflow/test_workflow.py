"""The real workflow, run by the real Snakemake in a folder of its own, on data that is here."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest

from cifarbench.config.benchmark import locate, parse
from cifarbench.config.reading import read
from cifarbench.files import sha256_of
from cifarbench.plan.plan import make_plan
from cifarbench.plan.stored import read_plan
from helpers.archives import image_folder, official_binary
from helpers.repository import (
    REPOSITORY,
    TABLE,
    run,
    snakemake,
    snakemake_command,
    trained,
    write_config,
)
from helpers.server import Server

PUBLISHED = make_plan(locate(parse(read(REPOSITORY / "config.yaml")), [REPOSITORY]))
NOTHING = "Nothing to be done"


def test_from_config_to_report_and_only_what_is_new_is_trained(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"learning_rate": [0.001, 0.003], "seed": 0})
    plan = run(tmp_path, "--configfile", config, "--dry-run")
    assert len(trained(plan)) == 2
    assert not (tmp_path / "results").exists()

    output = run(tmp_path, "--configfile", config)
    assert trained(output) == trained(plan)
    table = pd.read_parquet(tmp_path / "results/runs.parquet")
    assert table["status"].tolist() == ["completed", "completed"]
    page = (tmp_path / "reports/index.html").read_text()
    assert "2 runs of 2 configurations on digits" in page
    assert "Images that were hard" in page
    more = ["--set-resources", "train:runtime=999", "train:mem_mb=9999", "train:checkpoint_minutes=1"]
    assert NOTHING in run(tmp_path, "--configfile", config, *more)

    # Snakemake's own report has the page, the figures and the tables.
    run(tmp_path, "--configfile", config, "--report", "snakemake-report.zip")
    with ZipFile(tmp_path / "snakemake-report.zip") as report:
        kept = {Path(name).name for name in report.namelist()}
    assert {"index.html", "calibration-digits.svg", "configurations.csv"} <= kept

    # A further seed, a new title: one more run, the old ones untouched.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/runs/*/metrics.json")}
    write_config(tmp_path, {"learning_rate": [0.001, 0.003], "seed": 0}, {"seed": 1}, title="Renamed")
    [new] = trained(run(tmp_path, "--configfile", config))
    assert new.endswith("-s1")
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert "<h1>Renamed</h1>" in (tmp_path / "reports/index.html").read_text()


def test_without_a_configfile_the_published_benchmark_is_planned(tmp_path: Path) -> None:
    output = run(tmp_path, "--dry-run")
    assert "--url 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz'" in output
    assert len(trained(output)) == len(PUBLISHED.runs)


def test_config_swaps_in_a_local_copy_of_the_data_and_keeps_the_rest(tmp_path: Path) -> None:
    copy = official_binary(tmp_path / "cifar-10-binary.tar.gz", "cifar10")
    output = run(tmp_path, "--dry-run", "--config", f"datasets=[{{name: cifar10, source: {copy}}}]")
    assert "cifarbench download" not in output
    assert f"--source {copy}" in output
    assert len(trained(output)) == len(PUBLISHED.runs)


def test_cifar10_is_downloaded_verified_and_trained_on(tmp_path: Path) -> None:
    archive = official_binary(tmp_path / "served.tar.gz", "cifar10")
    server = Server(archive.read_bytes(), "cifar-10-binary.tar.gz?download=1")
    dataset = {"name": "cifar10", "source": server.url, "sha256": sha256_of(archive)}
    knobs = {"dataset": "cifar10", "validation_images": 20, "epochs": 1, "batch_size": 32}
    config = write_config(tmp_path, knobs, datasets=[dataset], defaults={})
    try:
        run(tmp_path, TABLE, "--configfile", config)
    finally:
        server.close()
    assert server.requests == 1
    assert (tmp_path / "data/cifar10/cifar-10-binary.tar.gz").read_bytes() == archive.read_bytes()
    [record] = (json.loads(path.read_text()) for path in tmp_path.glob("results/runs/*/metrics.json"))
    assert record["data"]["train_images"] == 180
    assert record["data"]["test_images"] == 40
    assert record["data"]["classes"][3] == "class3"


def test_a_folder_of_ones_own_trains_again_only_when_its_images_change(tmp_path: Path) -> None:
    folder = image_folder(tmp_path / "mine")
    dataset = {"name": "insects", "format": "folder", "source": "mine"}
    config = write_config(
        tmp_path, {"dataset": "insects", "validation_images": 2, "epochs": 1}, datasets=[dataset], defaults={}
    )
    run(tmp_path, TABLE, "--configfile", config)
    [record] = tmp_path.glob("results/runs/*/metrics.json")
    assert json.loads(record.read_text())["data"]["classes"] == ["ants", "bees"]

    # Touched, and moved: the same content.
    (folder / "train/ants/0.png").touch()
    assert NOTHING in run(tmp_path, TABLE, "--configfile", config)
    folder = folder.rename(tmp_path / "moved")
    Path(config).write_text(Path(config).read_text().replace("source: mine", "source: moved"))
    assert trained(run(tmp_path, TABLE, "--configfile", config)) == []
    shutil.copy(folder / "train/ants/0.png", folder / "train/bees/new.png")
    assert len(trained(run(tmp_path, TABLE, "--configfile", config))) == 1


@pytest.mark.usefixtures("ready")
def test_a_model_of_ones_own_trains_again_when_its_file_changes_and_what_fails_does_so_alone(
    tmp_path: Path,
) -> None:
    shutil.copytree(REPOSITORY / "examples/own-model", tmp_path / "example")
    config = write_config(
        tmp_path / "example",
        {"model": ["patches", "lenet5"]},
        models=[{"name": "patches", "file": "patches.py"}],
    )
    assert len(trained(run(tmp_path, TABLE, "--configfile", config))) == 2

    model = tmp_path / "example/patches.py"
    model.write_text(model.read_text().replace("nn.GELU()", "nn.SiLU()"))
    [again] = trained(run(tmp_path, TABLE, "--configfile", config, "--dry-run"))
    assert again.startswith("patches_")

    # It fails now, as does a run that wants more validation images than there are; the other model's new
    # seed is trained all the same, and the reasons are shown.
    model.write_text(model.read_text().replace("nn.SiLU()", "nn.Conv2d(1, 1, 99)"))
    write_config(
        tmp_path / "example",
        {"model": ["patches", "lenet5"], "seed": [0, 1]},
        {"validation_images": 5000},
        models=[{"name": "patches", "file": "patches.py"}],
    )
    result = snakemake(tmp_path, "--configfile", config)
    assert result.returncode == 1
    assert "RuntimeError" in result.stdout
    assert (
        "cifarbench train: error: validation_images: 5000 is not allowed: data set 'digits' has"
        in result.stdout
    )
    names = {path.parent.name for path in tmp_path.glob("results/runs/*/metrics.json")}
    assert {name.split("_")[0] for name in names} == {"lenet5"}
    assert len(names) == 2
    # The report is made all the same, from what is done.
    page = (tmp_path / "reports/index.html").read_text()
    assert "3 runs failed. Their logs end so:" in page
    assert page.count("RuntimeError") == 2


def test_a_plan_is_made_again_when_weights_to_start_from_change(tmp_path: Path) -> None:
    weights, plan = tmp_path / "start.pt", "results/plan.json"
    config = write_config(tmp_path, {"initial_weights": "start.pt"})
    planned = []
    for content in ("before", "after"):
        weights.write_text(content)
        os.utime(weights, (0, 0))  # as a copy that keeps its time
        run(tmp_path, plan, "--configfile", config)
        planned += read_plan(tmp_path / plan).runs
    assert planned[0].id != planned[1].id


@pytest.mark.usefixtures("ready")
def test_one_run_can_be_asked_for_and_a_sweep_that_is_half_way_be_looked_at(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"learning_rate": [0.001, 0.003]})
    first, other = trained(run(tmp_path, "--configfile", config, "--dry-run"))
    run(tmp_path, f"results/runs/{first}/metrics.json", "--configfile", config)
    assert [path.name for path in (tmp_path / "results/runs").iterdir()] == [first]
    assert json.loads((tmp_path / f"results/runs/{first}/metrics.json").read_text())["run"] == first
    assert not (tmp_path / "reports").exists()
    result = snakemake(tmp_path, "results/runs/typo-s0/metrics.json", "--configfile", config)
    assert result.returncode == 1
    assert "'typo-s0' is none of this config's 2 runs" in result.stdout

    run(tmp_path, "partial", "--configfile", config)
    page = (tmp_path / "reports/index.html").read_text()
    assert "1 run not begun yet" in page
    assert other in page
    assert trained(run(tmp_path, "--configfile", config, "--dry-run")) == [other]


@pytest.mark.usefixtures("ready")
def test_ctrl_c_stops_everything_and_the_same_command_goes_on(tmp_path: Path) -> None:
    config = write_config(tmp_path, {"model": "baseline", "epochs": 12, "seed": [0, 1]})
    command = snakemake_command(tmp_path, "--configfile", config)
    with (tmp_path / "snakemake.log").open("w") as out:
        running = subprocess.Popen(command, stdout=out, stderr=out, cwd=REPOSITORY, start_new_session=True)

    def begun() -> list[Path]:
        return [log for log in tmp_path.glob("results/runs/*/train.log") if "epoch" in log.read_text()]

    wait = time.monotonic() + 60
    while len(begun()) < 2:
        assert time.monotonic() < wait and running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as the terminal does, to all processes of the group
    assert running.wait(60) == 1
    # A run that was done before the signal came has its record; each other one saved itself.
    saved = list(tmp_path.glob("results/runs/*/checkpoint.pt"))
    done = list(tmp_path.glob("results/runs/*/metrics.json"))
    logs = "\n".join(path.read_text() for path in tmp_path.rglob("*.log"))
    assert len(saved) + len(done) == 2 and saved, logs

    run(tmp_path, TABLE, "--configfile", config)
    records = [json.loads(path.read_text()) for path in tmp_path.glob("results/runs/*/metrics.json")]
    assert sum(record["resumptions"] for record in records) == len(saved)
    assert [len(record["epochs"]) for record in records] == [12, 12]


def test_after_kill_9_snakemake_says_what_unlocks_and_that_does(tmp_path: Path) -> None:
    config = write_config(tmp_path, {})
    call = ("results/plan.json", "--configfile", config)
    quiet = subprocess.DEVNULL
    running = subprocess.Popen(
        snakemake_command(tmp_path, *call), stdout=quiet, stderr=quiet, cwd=REPOSITORY, start_new_session=True
    )
    while not list(tmp_path.glob(".snakemake/locks/*.lock")):
        assert running.poll() is None
        time.sleep(0.005)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert list(tmp_path.glob(".snakemake/locks/*.lock"))

    locked = snakemake(tmp_path, *call)
    assert locked.returncode == 1
    [said] = re.findall(r"`snakemake(.*) --unlock` unlocks the folder", locked.stdout)
    run(tmp_path, *call, *shlex.split(said), "--unlock")
    assert "The folder is locked" not in run(tmp_path, *call)
    assert (tmp_path / "results/plan.json").exists()


@pytest.mark.parametrize(
    ("knobs", "line"),
    [
        (
            {"lerning_rate": 1},
            "study 'study', runs[0].lerning_rate: unknown key; did you mean 'learning_rate'?",
        ),
        ({"model": "lenet"}, "study 'study', runs[0].model: 'lenet' is not known; did you mean 'lenet5'?"),
    ],
)
def test_a_wrong_config_stops_before_anything_is_made(
    tmp_path: Path, knobs: dict[str, object], line: str
) -> None:
    result = snakemake(tmp_path, "--configfile", write_config(tmp_path, knobs))
    assert result.returncode == 1
    assert line in result.stdout
    assert "Traceback" not in result.stdout
    assert not (tmp_path / "results").exists()


def test_inputs_and_outputs_can_be_staged_to_a_local_disk(tmp_path: Path) -> None:
    kept = ["persistence", "software-deployment", "sources", "source-cache"]
    staged = ["--default-storage-provider", "fs", "--local-storage-prefix", str(tmp_path / "local")]
    (tmp_path / "start.pt").touch()
    config = write_config(tmp_path, {"seed": [0, 1], "initial_weights": "start.pt"})
    output = run(tmp_path, "--dry-run", *staged, "--shared-fs-usage", *kept, "--configfile", config)
    assert re.search(r"^train +2$", output, re.MULTILINE)
    assert f"--data {tmp_path}/local/fs/data/digits" in output
    assert f"--output {tmp_path}/local/fs/reports" in output
    assert f"--initial-weights {tmp_path}/local/fs/start.pt" in output


def test_rules_have_a_line_of_help(tmp_path: Path) -> None:
    listing = run(tmp_path, "--list-rules")
    for rule in ("all", "download", "normalise", "train", "plan", "collect", "report"):
        assert re.search(rf"^{rule} \(\S.*\.\)$", listing, re.MULTILINE)
