"""What jobs ask for, and the profiles that pass it on."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.plan.grid import Run, checksum
from cifarbench.records.folder import ADOPTED
from cifarbench.records.record import Kept, write_record
from cifarbench.sweep.jobs import RUNS, Jobs, Training, measured_rates, megabytes
from helpers.repository import REPOSITORY
from helpers.synthetic import record

PROFILES = REPOSITORY / "profiles"
CLUSTERS = ("slurm", "slurm-gres", "cluster-generic")
PATCHES = str(REPOSITORY / "examples/own-model/patches.py")
OWN = ("mine", "mine-big", "mine_big", "mine_learning_rate", "mine-deadbeef")
OWN_MODELS = [{"name": name, "file": PATCHES} for name in OWN]


def profile(name: str) -> dict[str, object]:
    return yaml.safe_load((PROFILES / name / "profile.yaml").read_text())


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the manifest of 60,000 images; the working directory is a folder without results."""
    monkeypatch.chdir(tmp_path)
    measured_rates.cache_clear()
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"train_images": [20_000, 40_000]}))
    return str(path)


def training(*configs: TrainConfig) -> Training:
    return Training([Run(id="", configuration="", config=config) for config in configs], {})


def jobs_of(*runs: dict[str, object], **config: object) -> Jobs:
    study = {"name": "a", "title": "A", "runs": list(runs)}
    return Jobs({"studies": [study], **config}, [])


def test_time_is_for_all_images_of_all_epochs_of_all_runs_and_grows(manifest: str) -> None:
    run = TrainConfig(epochs=20)  # 20 x 60,000 images, 1,000 a second: 20 minutes
    assert training(run).minutes(manifest, attempt=1) == 10 + 20
    assert training(run, run).minutes(manifest, attempt=1) == 10 + 40
    assert training(run).minutes(manifest, attempt=3) == 3 * (10 + 20)
    on_cpu = TrainConfig(epochs=20, device="cpu")
    assert training(on_cpu).minutes(manifest, attempt=1) == 10 + 200


def write_records(model: str, *rates: float) -> None:
    plan = jobs_of({"model": model, "seed": list(range(len(rates)))}, models=OWN_MODELS).plan
    for position, rate in enumerate(rates):
        made = record(plan, position).model_copy(update={"images_per_second": rate})
        write_record(made, RUNS / made.run)


def test_records_of_the_model_tell_how_long_a_run_takes(manifest: str) -> None:
    write_records("lenet5", 100, 500)
    (RUNS / "lenet5-broken-s0").mkdir()
    (RUNS / "lenet5-broken-s0/metrics.json").write_text("{")
    measured = TrainConfig(model="lenet5", epochs=2)  # 2 x 60,000 images, 50 a second to be safe
    assert training(measured).minutes(manifest, attempt=1) == 10 + 40
    other = TrainConfig(model="vgg16", epochs=2)
    assert training(other).minutes(manifest, attempt=1) == 10 + 2


@pytest.mark.parametrize("other", ["mine-big", "mine_big", "mine_learning_rate", "mine-deadbeef"])
def test_records_of_a_model_with_a_longer_name_tell_nothing(manifest: str, other: str) -> None:
    write_records(other, *(7 * [1.0]))
    epoch = TrainConfig(model="mine", epochs=1)  # 60,000 images, 1,000 a second
    assert training(epoch).minutes(manifest, attempt=1) == 10 + 1
    measured_rates.cache_clear()
    write_records("mine", 200)
    assert training(epoch).minutes(manifest, attempt=1) == 10 + 10


def test_memory_is_for_the_process_and_its_data_and_grows(tmp_path: Path) -> None:
    images = tmp_path / "images.safetensors"
    with images.open("wb") as file:
        file.truncate(180_000_000)
    assert megabytes(str(images), attempt=1) == 4000 + 4 * 180
    assert megabytes(str(images), attempt=2) == 2 * (4000 + 4 * 180)


def test_a_training_needs_its_data_a_gpu_and_the_file_of_an_own_model() -> None:
    jobs = jobs_of({"model": ["mine", "lenet5"]}, {"device": "cpu"}, models=OWN_MODELS)
    mine, builtin, on_cpu = (jobs.train(run) for run in jobs.runs)
    assert mine.manifest == "data/cifar10/manifest.json"
    assert mine.images == "data/cifar10/images.safetensors"
    assert mine.model_files == [PATCHES] and builtin.model_files == []
    assert (mine.gpus, on_cpu.gpus) == (1, 0)
    assert mine.flags("staged.py") == ["--model", "mine", "--model-file", "staged.py"]
    assert builtin.flags() == []  # all is as the defaults have it
    assert jobs.records()[0] == f"results/runs/{jobs.plan.runs[0].id}/metrics.json"
    with pytest.raises(UserError, match="'typo-s0' is none of this config's 3 runs"):
        jobs.train("typo-s0")


def test_a_pack_is_one_word_for_each_run_and_trains_before_what_has_no_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = jobs_of({"model": ["mine", "lenet5"], "seed": [0, 1]}, models=OWN_MODELS, pack=3)
    [(pack, runs)] = jobs.packs.items()
    first, left_over = runs[0], list(jobs.runs)[3]
    assert jobs.pack(pack).pack_flags() == [
        f"--model mine --model-file {PATCHES}",
        f"--model mine --seed 1 --model-file {PATCHES}",
        "",
    ]
    assert jobs.pack(pack).model_files == [PATCHES]
    assert jobs.pack_before(first) == f"results/packs/{pack}.done"
    assert jobs.pack_before(left_over) == []
    Path("results/runs", first).mkdir(parents=True)
    Path("results/runs", first, "metrics.json").touch()
    assert jobs.pack_before(first) == []


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


def test_what_a_model_imports_from_beside_it_is_an_input_too(tmp_path: Path) -> None:
    own = tmp_path / "net.py"
    own.write_text("import helper\ndef build(classes): ...\n")
    (tmp_path / "helper.py").write_text("")
    jobs = jobs_of({"model": "mine"}, models=[{"name": "mine", "file": str(own)}])
    [run] = jobs.runs
    files = jobs.train(run).model_files
    assert files == [str(own), str(tmp_path / "helper.py")]
    assert jobs.train(run).flags(*files)[-2:] == ["--model-file", str(own)]


def test_weights_to_start_from_are_inputs_and_their_place_is_no_reason_to_train_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = ["my w.pt", "{x}.pt", "results/w.pt"]  # Snakemake would fill in one, and could make the other
    for number, name in enumerate(files):
        Path("results").mkdir(exist_ok=True)
        Path(name).write_text(str(number))
    jobs = jobs_of({"initial_weights": files}, {}, pack=4)
    plain, odd, made, nothing = (jobs.train(run) for run in jobs.runs)
    [pack] = (jobs.pack(name) for name in jobs.packs)
    assert [one.weights_files for one in (plain, odd, made, nothing, pack)] == [
        ["my w.pt"],
        [],
        [],
        [],
        ["my w.pt"],
    ]
    assert plain.place_flags() == "--initial-weights 'my w.pt'"
    assert plain.place_flags("staged/w.pt") == "--initial-weights staged/w.pt"
    assert made.place_flags() == "--initial-weights results/w.pt" and nothing.place_flags() == ""
    assert pack.pack_flags()[0].endswith("--initial-weights 'my w.pt'") and pack.pack_flags()[3] == ""

    before = (jobs.ids_sha256(), plain.flags())
    Path("my w.pt").rename("moved.pt")
    moved = jobs_of({"initial_weights": ["moved.pt", *files[1:]]}, {})
    assert (moved.ids_sha256(), moved.train(next(iter(moved.runs))).flags()) == before
    checksum.cache_clear()
    Path("moved.pt").write_text("edited")
    edited = jobs_of({"initial_weights": ["moved.pt", *files[1:]]}, {})
    assert len(jobs.runs.keys() - edited.runs.keys()) == 1
    assert edited.ids_sha256() != before[0]


def test_known_results_count_as_input_unless_the_workflow_writes_them() -> None:
    known = ["reports/runs.parquet", "theirs.zip", {"table": "other{1}.parquet", "times": "shared"}]
    jobs = jobs_of({}, known=known)
    assert jobs.known_files() == ["theirs.zip"]
    assert jobs.known_flags() == [
        "reports/runs.parquet",
        "theirs.zip",
        '{"table":"other{1}.parquet","times":"shared"}',
    ]


def test_adopted_runs_are_compared_by_all_images_that_they_saw() -> None:
    jobs = jobs_of({"extra_tests": ["cifar10_1"]})
    jobs.adopted = set(jobs.runs)
    assert jobs.adopted_manifests() == ["data/cifar10/manifest.json", "data/cifar10_1/manifest.json"]


def test_runs_that_are_adopted_are_in_no_pack_and_wanted_as_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    jobs = jobs_of({"seed": [0, 1, 2]}, pack=3)
    first, second, third = jobs.runs
    jobs.adopted = {first}
    assert list(jobs.packs.values()) == [[second, third]]
    assert jobs.adopted_records() == [f"results/runs/{first}/metrics.json"]

    # One that was adopted while it was known wants weights now; one that was adopted by hand stays as it is.
    for run, while_known in ((second, True), (third, False)):
        Path("results/runs", run).mkdir(parents=True)
        kept = Kept(verified="trained here", while_known=while_known)
        Path("results/runs", run, ADOPTED).write_text(kept.model_dump_json())
    assert jobs.records()[3:] == [f"results/runs/{second}/weights.safetensors"]


@pytest.mark.parametrize(
    ("names", "runs"),
    [
        (set(), []),
        ({"collect"}, []),
        ({"train"}, [0, 1]),
        ({"results/runs/{0}/metrics.json"}, [0]),
        ({"results/runs/{1}/weights.safetensors", "report"}, [1]),
    ],
)
def test_forced_runs_are_those_of_the_rule_or_of_the_files(names: set[str], runs: list[int]) -> None:
    data = {"studies": [{"name": "s", "title": "S", "runs": [{"seed": [0, 1]}]}]}
    ids = list(Jobs(data, []).runs)
    jobs = Jobs(data, [], {name.format(*ids) for name in names})
    assert jobs.forced == [ids[n] for n in runs]
    assert jobs.but_flags() == " ".join(f"--but {ids[n]}" for n in runs)
