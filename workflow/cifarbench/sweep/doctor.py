"""Is this machine ready for a config? `cifarbench doctor [CONFIG]`.

Each check is a function that returns a Finding, and a line in CHECKS; a fault says what to do about it.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from cifarbench import machine
from cifarbench.config.benchmark import Dataset
from cifarbench.data.catalogue import downloads
from cifarbench.data.manifest import IMAGES, MANIFEST, read_manifest
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import RECORD

PROJECT = Path(__file__).parents[3] / "pyproject.toml"
LOCK = Path(__file__).parents[3] / "envs" / "requirements.txt"
MEND = "pip install it"
OLDEST_PYTHON = (3, 11)  # as pyproject.toml has it
DATA_BYTES = 2**30  # archive and images of a data set of CIFAR's size, amply
UNCONFIGURED = "Could not establish a configuration source"  # Slurm 22.05
SLURM_SECONDS = 20  # to wait for an answer


class Finding(NamedTuple):
    good: bool
    says: str
    """What is there; of a fault, what to do."""


def examine(plan: Plan) -> list[tuple[str, Finding]]:
    """Make every check for the runs of a plan in the working directory."""
    return [(name, check(plan)) for name, check in CHECKS.items()]


def in_lines(findings: list[tuple[str, Finding]]) -> str:
    return "\n".join(
        f"{'ok' if found.good else 'WRONG':5}  {name:10} {found.says}" for name, found in findings
    )


def python(_plan: Plan) -> Finding:
    says = f"{platform.python_version()}, {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding(False, f"{says}; use {'.'.join(map(str, OLDEST_PYTHON))} or newer")
    return Finding(True, says)


def versions(_plan: Plan) -> Finding:
    """Hold what is installed against what is needed, and against the lock where the checkout has one."""
    try:
        from packaging.requirements import Requirement
    except ImportError:
        return Finding(False, f"packaging is missing; {MEND}")
    needed = [Requirement(text) for text in requirements()]
    installed = {
        need: installed_version(need.name)
        for need in needed
        if need.marker is None or need.marker.evaluate({"extra": ""})
    }
    wrong = [
        f"{need.name} {found or 'is missing'}, but {need} is needed"
        for need, found in installed.items()
        if found is None or not need.specifier.contains(found, prereleases=True)
    ]
    mend = f"pip install --require-hashes -r {LOCK}" if LOCK.exists() else MEND
    if wrong:
        return Finding(False, f"{'; '.join(wrong)}; {mend}")
    other = differing() if LOCK.exists() else []
    if other:
        return Finding(True, f"{', '.join(other)}: may do, but is not what was tested; {mend}")
    return Finding(True, f"{len(installed)} packages are as they must be")


def requirements() -> list[str]:
    """Return what the package needs: as it is installed, or as its checkout says where it is not."""
    try:
        return requires("cifarbench") or []
    except PackageNotFoundError:
        project = tomllib.loads(PROJECT.read_text(encoding="utf-8")) if PROJECT.exists() else {}
        needed: list[str] = project.get("project", {}).get("dependencies", [])
        return needed


def differing() -> list[str]:
    """Say which installed packages have another version than the lock."""
    from packaging.version import Version

    wanted = locked(LOCK.read_text(encoding="utf-8"))
    installed = {name: installed_version(name) for name in wanted}
    return [
        f"{name} {found} instead of {wanted[name]}"
        for name, found in installed.items()
        if found and Version(found).public != wanted[name]
    ]


def locked(text: str) -> dict[str, str]:
    """Return the versions that a requirements file gives on this machine."""
    from packaging.requirements import Requirement

    lines = re.findall(r"^([\w.-]+==[^\\\n]+?) *\\?$", text, re.MULTILINE)
    requirements = [Requirement(line) for line in lines]
    return {
        r.name: str(r.specifier).removeprefix("==")
        for r in requirements
        if r.marker is None or r.marker.evaluate()
    }


def installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def gpus(_plan: Plan) -> Finding:
    try:
        import pynvml
    except ImportError:
        return Finding(False, f"nvidia-ml-py is missing, so that nothing is known of GPUs; {MEND}")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        if machine.has_nvidia_gpu():
            return Finding(
                False, f"there is a device, but the driver does not answer ({error}); mend the driver"
            )
        return Finding(True, "no NVIDIA GPU; trainings run on the processor")
    driver = pynvml.nvmlSystemGetDriverVersion()
    return Finding(True, f"{', '.join(machine.gpu_names()) or 'none'}; driver {driver}")


def torch_gpus(_plan: Plan) -> Finding:
    """Compare what PyTorch sees with what the driver has, within CUDA_VISIBLE_DEVICES."""
    try:
        import torch
    except (ImportError, OSError) as error:
        return Finding(False, f"torch cannot be imported ({error}); see the versions above")
    there, seen = len(machine.gpu_names()), torch.cuda.device_count()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    says = f"torch {torch.__version__} sees {seen} of {there} GPUs"
    if visible is not None:
        says += f" (CUDA_VISIBLE_DEVICES={visible})"
    if there and not seen and visible != "":
        return Finding(
            False, f"{says}; it is built for CUDA {torch.version.cuda}, which needs a newer driver"
        )
    return Finding(True, says)


def disk(plan: Plan) -> Finding:
    """Compare the room with what the runs that have no result yet may take, as those that have one."""
    results = Path("results/runs")
    done = [run.id for run in plan.runs if (results / run.id / RECORD).exists()]
    sizes = [sum(file.stat().st_size for file in (results / run).iterdir() if file.is_file()) for run in done]
    needed = {
        Path("data"): DATA_BYTES * sum(not manifest_of(dataset).exists() for dataset in plan.datasets),
        Path("results"): (len(plan.runs) - len(done)) * (sum(sizes) // len(sizes) if sizes else 0),
    }
    free = {folder: shutil.disk_usage(existing(folder)).free for folder in needed}
    says = ", ".join(f"{folder} has {gigabytes(free[folder])}" for folder in needed)
    for folder, bytes in needed.items():
        if free[folder] < bytes:
            return Finding(
                False, f"{says}; {folder} may need {gigabytes(bytes)}: make room, or link it elsewhere"
            )
    return Finding(True, says)


def existing(folder: Path) -> Path:
    return folder if folder.exists() else Path()


def gigabytes(bytes: float) -> str:
    return f"{bytes / 1e9:.1f} GB"


def manifest_of(dataset: Dataset) -> Path:
    return Path("data", dataset.name, MANIFEST)


def data(plan: Plan) -> Finding:
    """Check each data set: its images against their checksum, or where they are to come from."""
    findings = [one_data_set(dataset) for dataset in plan.datasets]
    faults = [found for found in findings if not found.good]
    return Finding(not faults, "; ".join(found.says for found in faults or findings))


def one_data_set(dataset: Dataset) -> Finding:
    name, manifest = dataset.name, manifest_of(dataset)
    again = f"remove {manifest.parent} and let snakemake make it again"
    if manifest.exists():
        try:
            sound = read_manifest(manifest.parent).images_sha256 == sha256_of(manifest.with_name(IMAGES))
        except (UserError, OSError) as error:
            return Finding(False, f"{name}: {error}; {again}")
        return Finding(sound, f"{name} is sound" if sound else f"{name}: its images were changed; {again}")
    remote = downloads(dataset).values()
    if remote:
        return Finding(True, f"{name} is to be downloaded from {', '.join(file.url for file in remote)}")
    if dataset.source and not Path(dataset.source).exists():
        return Finding(False, f"{name}: {dataset.source} is not there; set its `source` to what is")
    return Finding(True, f"{name} is to be made from {dataset.source or 'scikit-learn'}")


def slurm(_plan: Plan) -> Finding:
    try:
        flag = slurm_gpu_flag()
    except UserError as error:
        return Finding(False, str(error))
    if flag is None:
        return Finding(True, "no cluster here; jobs run on this machine")
    return Finding(True, f"reachable; GPUs are asked for by {flag}" if flag else "reachable; it has no GPUs")


def slurm_gpu_flag() -> str | None:
    """Return the flag that Slurm wants for GPUs, "" where it has none; None without a cluster.

    Raise UserError if it does not answer.
    """
    if shutil.which("sinfo") is None:
        return None
    try:
        ask("sinfo", "--noheader")
    except UserError as error:
        if UNCONFIGURED in str(error):  # its commands are installed, and that is all
            return None
        raise
    answer = ask("scontrol", "show", "config")
    settings = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", answer, re.MULTILINE))
    if "gpu" not in settings.get("GresTypes", "").split(","):
        return ""
    # As `man sbatch` has it, --gpus is for select/cons_tres alone.
    return "--gpus" if settings.get("SelectType") == "select/cons_tres" else "--gres"


def ask(*call: str) -> str:
    remedy = "Slurm does not answer; mend it, or go on without it"
    try:
        return subprocess.run(call, capture_output=True, text=True, check=True, timeout=SLURM_SECONDS).stdout
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip() or f"exit code {error.returncode}").splitlines()[-1]
        raise UserError(f"{' '.join(call)}: {reason}; {remedy}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{error}; {remedy}") from None


def profile(_plan: Plan) -> Finding:
    """Name the profile that fits what the checks before have found."""
    try:
        flag = slurm_gpu_flag()
    except UserError:
        flag = None
    if flag is not None:
        return Finding(True, f"--workflow-profile profiles/{'slurm-gres' if flag == '--gres' else 'slurm'}")
    if machine.gpu_names():
        return Finding(True, "--workflow-profile profiles/gpu")
    return Finding(True, "profiles/default, which snakemake finds by itself")


CHECKS: dict[str, Callable[[Plan], Finding]] = {
    "Python": python,
    "versions": versions,
    "GPUs": gpus,
    "PyTorch": torch_gpus,
    "disk": disk,
    "data": data,
    "Slurm": slurm,
    "profile": profile,
}
