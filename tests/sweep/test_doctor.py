"""What `cifarbench doctor` finds, well and ill; Slurm's answers come from programs made up for it."""

import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch

from cifarbench import machine
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.sweep import doctor
from cifarbench.sweep.doctor import Finding
from helpers.repository import SMALL


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without programs: no Slurm, unless a test makes one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def plan_of(*runs: dict[str, object], **config: object) -> Plan:
    return make_plan(
        parse({"studies": [{"name": "a", "title": "A", "runs": list(runs or [SMALL])}], **config})
    )


def program(name: str, answer: str, code: int = 0) -> None:
    path = Path("bin", name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}' >&{2 if code else 1}\nexit {code}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("select", "gres", "says", "profile"),
    [
        ("cons_tres", "gpu", "reachable; GPUs are asked for by --gpus", "profiles/slurm"),
        ("cons_res", "craynetwork,gpu", "reachable; GPUs are asked for by --gres", "profiles/slurm-gres"),
        ("cons_tres", "(null)", "reachable; it has no GPUs", "profiles/slurm"),
    ],
)
def test_slurm_tells_its_gpu_flag_and_the_profile(select: str, gres: str, says: str, profile: str) -> None:
    program("sinfo", "gpus* up infinite 2 idle n[1-2]")
    program("scontrol", f"GresTypes               = {gres}\nSelectType              = select/{select}")
    assert doctor.slurm(plan_of()) == Finding(True, says)
    assert doctor.profile(plan_of()) == Finding(True, f"--workflow-profile {profile}")


def test_slurm_that_does_not_answer_is_a_fault() -> None:
    program("sinfo", "slurm_load_partitions: Unable to contact slurm controller", code=1)
    found = doctor.slurm(plan_of())
    assert not found.good
    assert found.says.startswith(
        "sinfo --noheader: slurm_load_partitions: Unable to contact slurm controller; "
    )
    assert doctor.profile(plan_of()).says.startswith("profiles/default")


def test_slurm_without_a_cluster_is_no_fault() -> None:
    program("sinfo", "sinfo: error: fetch_config: DNS SRV lookup failed", code=1)
    assert not doctor.slurm(plan_of()).good
    program("sinfo", "sinfo: fatal: Could not establish a configuration source", code=1)
    assert doctor.slurm(plan_of()) == Finding(True, "no cluster here; jobs run on this machine")
    assert doctor.profile(plan_of()).says.startswith("profiles/default")


@pytest.mark.parametrize("package", ["packaging", "pynvml", "torch"])
def test_a_package_that_is_missing_is_a_fault_of_one_check(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # importing it fails
    monkeypatch.setitem(sys.modules, f"{package}.requirements", None)
    machine.gpu_names.cache_clear()
    faults = [name for name, found in doctor.examine(plan_of()) if not found.good]
    assert faults == {"packaging": ["versions"], "pynvml": ["GPUs"], "torch": ["PyTorch"]}[package]
    machine.gpu_names.cache_clear()


def test_a_checkout_that_is_not_installed_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(_name: str) -> None:
        raise PackageNotFoundError

    installed = doctor.versions(plan_of())
    monkeypatch.setattr(doctor, "requires", not_installed)
    assert any(text.startswith("torch") for text in doctor.requirements())
    assert doctor.versions(plan_of()).good == installed.good


@pytest.mark.parametrize(
    ("devices", "there"),
    [
        ([], False),
        (["nvidia0"], True),
        (["nvidia7", "nvidiactl"], True),
        (["nvidiactl", "nvidia-uvm", "nvidia-caps"], False),
        (["dxg"], True),
    ],
)
def test_any_device_of_nvidia_is_a_gpu(tmp_path: Path, devices: list[str], there: bool) -> None:
    for name in devices:
        (tmp_path / name).touch()
    assert machine.has_nvidia_gpu(tmp_path) == there


def test_a_gpu_that_torch_does_not_see_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor.slurm(plan_of()) == Finding(True, "no cluster here; jobs run on this machine")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(machine, "gpu_names", lambda: ["NVIDIA H200"])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert doctor.torch_gpus(plan_of()).good
    assert doctor.profile(plan_of()).says == "--workflow-profile profiles/gpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    found = doctor.torch_gpus(plan_of())
    assert not found.good and "sees 0 of 1 GPUs" in found.says
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden on purpose
    assert doctor.torch_gpus(plan_of()).good


def test_versions_are_held_against_what_is_needed_and_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor.versions(plan_of()).good
    lock = tmp_path / "requirements.txt"
    text = doctor.LOCK.read_text()
    torch_version = doctor.locked(text)["torch"]
    lock.write_text(text.replace(f"torch=={torch_version} ", "torch==2.14.1 "))
    monkeypatch.setattr(doctor, "LOCK", lock)
    found = doctor.versions(plan_of())
    assert found.good and " instead of 2.14.1: may do, but is not what was tested; pip install" in found.says
    there = {"torch": "2.1.0", "pandas": None}
    plain = doctor.installed_version
    monkeypatch.setattr(doctor, "installed_version", lambda name: there.get(name, plain(name)))
    found = doctor.versions(plan_of())
    assert not found.good
    assert "torch 2.1.0, but torch>=2.11 is needed" in found.says
    assert "pandas is missing, but pandas>=" in found.says


def test_data_are_checked_against_their_checksum(digits: Path) -> None:
    shutil.copytree(digits, "data/digits")
    plan = plan_of()
    assert doctor.data(plan) == Finding(True, "digits is sound")
    with Path("data/digits/images.safetensors").open("ab") as file:
        file.write(b"more")
    assert doctor.data(plan).says == (
        "digits: its images were changed; remove data/digits and let snakemake make it again"
    )
    Path("data/digits/manifest.json").write_text("{}")
    assert "manifest.json.name: missing" in doctor.data(plan).says
    shutil.rmtree("data")
    assert doctor.data(plan) == Finding(True, "digits is to be made from scikit-learn")


def test_data_that_are_to_come_are_named() -> None:
    assert "is to be downloaded from https://" in doctor.data(plan_of({})).says
    mine = {"name": "mine", "format": "folder", "source": "mine.zip"}
    found = doctor.data(plan_of({}, {"dataset": "mine"}, datasets=[mine]))
    assert found == Finding(False, "mine: mine.zip is not there; set its `source` to what is")


def test_room_must_do_for_the_runs_that_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of({**SMALL, "seed": [0, 1, 2]})
    folder = Path("results/runs", plan.runs[0].id)
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_bytes(b"x" * 1000)
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=doctor.DATA_BYTES))
    assert doctor.disk(plan).good
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1999))
    shutil.copytree(folder, "data/digits")
    Path("data/digits/metrics.json").rename("data/digits/manifest.json")
    found = doctor.disk(plan)
    assert not found.good and "results may need 0.0 GB" in found.says
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2000))
    assert doctor.disk(plan).good


def test_a_line_for_each_check_and_exit_code_1_for_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fails: Callable[..., str]
) -> None:
    Path("mine.yaml").write_text("studies: [{name: a, title: A, runs: [{}]}]")
    assert main(["doctor", "mine.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", name] for name in doctor.CHECKS]
    program("sinfo", "down", code=1)
    with pytest.raises(SystemExit) as stop:
        main(["doctor", "mine.yaml"])
    assert stop.value.code == 1
    assert "WRONG  Slurm" in capsys.readouterr().out
    assert "config.yaml: cannot be read" in fails("doctor")
