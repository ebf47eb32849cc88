"""What jobs ask for, and the profiles that pass it on."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from cifarbench.config.knobs import TrainConfig
from cifarbench.records.record import write_record
from cifarbench.sweep.expectation import megabytes, minutes
from helpers.repository import REPOSITORY
from helpers.synthetic import record, synthetic

PROFILES = REPOSITORY / "profiles"
CLUSTERS = ("slurm", "slurm-gres", "cluster-generic")


def profile(name: str) -> dict[str, object]:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


def test_time_is_for_all_images_of_all_epochs_of_all_runs_and_grows(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"train_images": [20_000, 40_000]}))
    run = TrainConfig(epochs=20)  # 20 x 60,000 images, 1,000 a second: 20 minutes
    assert minutes([run], str(manifest), tmp_path, attempt=1) == 10 + 20
    assert minutes([run, run], str(manifest), tmp_path, attempt=1) == 10 + 40
    assert minutes([run], str(manifest), tmp_path, attempt=3) == 3 * (10 + 20)
    on_cpu = TrainConfig(epochs=20, device="cpu")
    assert minutes([on_cpu], str(manifest), tmp_path, attempt=1) == 10 + 200


def test_records_of_the_model_tell_how_long_a_run_takes(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps({"train_images": [60_000]}))
    plan, _ = synthetic(configurations=2, seeds=1)
    for position, rate in enumerate((100.0, 500.0)):
        slow = record(plan, position).model_copy(update={"images_per_second": rate})
        write_record(slow, tmp_path / "runs" / plan.runs[position].id)
    (tmp_path / "runs/lenet5-broken-s0").mkdir()
    (tmp_path / "runs/lenet5-broken-s0/metrics.json").write_text("{")
    measured = TrainConfig(model="lenet5", epochs=2)  # 2 x 60,000 images, 50 a second to be safe
    assert minutes([measured], str(manifest), tmp_path / "runs", attempt=1) == 10 + 40
    other = TrainConfig(model="vgg16", epochs=2)
    assert minutes([other], str(manifest), tmp_path / "runs", attempt=1) == 10 + 2


def test_memory_is_for_the_process_and_its_data_and_grows(tmp_path: Path) -> None:
    images = tmp_path / "images.safetensors"
    with images.open("wb") as file:
        file.truncate(180_000_000)
    assert megabytes(str(images), attempt=1) == 4000 + 4 * 180
    assert megabytes(str(images), attempt=2) == 2 * (4000 + 4 * 180)


@pytest.mark.parametrize("name", ["gpu", *CLUSTERS])
def test_a_profile_holds_what_the_default_one_does_and_its_own_command(name: str) -> None:
    assert profile("default").items() <= profile(name).items()
    assert f"snakemake --workflow-profile profiles/{name}\n" in (PROFILES / name / "profile.yaml").read_text()


def test_the_profile_for_gres_differs_in_that_alone() -> None:
    gres = profile("slurm-gres")
    assert set(gres.pop("set-resources")) == {"train", "pack"}
    assert gres == profile("slurm")


def test_the_rules_know_no_site() -> None:
    rules = "".join(path.read_text() for path in [REPOSITORY / "Snakefile", *REPOSITORY.glob("rules/*.smk")])
    assert re.findall("slurm|partition|account|gres|qsub", rules) == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("job_state = Q", "running"),
        ("job_state = R", "running"),
        ("job_state = E", "running"),
        ("job_state = C\n    exit_status = 0", "success"),  # Torque
        ("job_state = C\n    exit_status = 271", "failed"),
        ("job_state = F\n    Exit_status = 0", "success"),  # OpenPBS
        ("job_state = F\n    Exit_status = -11", "failed"),
        ("job_state = F", "failed"),  # deleted before it began
        ("qstat: Unknown Job Id 7.server", "failed"),
        ("qstat: cannot connect to server", "running"),
    ],
)
def test_what_pbs_says_of_a_job_is_understood(tmp_path: Path, answer: str, status: str) -> None:
    stub = tmp_path / "qstat"
    stub.write_text(f"#!/bin/sh\necho '{answer}'\n")
    stub.chmod(0o755)
    script = PROFILES / "cluster-generic/status"
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    said = subprocess.run([script, "7"], env=path, capture_output=True, text=True, check=True)
    assert said.stdout == f"{status}\n"
