"""The insides of Snakemake that the rules and `plan --why` rest on are as they were."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cifarbench.cli.parser import main
from cifarbench.config.text import taken_literally
from cifarbench.errors import UserError
from cifarbench.sweep.snakemake_internals import forced, left_locked, unlock_hint, workdir_of

# Says what the insides tell while the file is read, and in a resource, where the executor is known.
SNAKEFILE = """
import json
from cifarbench.sweep import snakemake_internals as internals

given = internals.configfile_given(workflow)
files = [str(file) for file in internals.config_files(workflow)]

def tell(wildcards):
    with open("told.json", "w") as file:
        json.dump([given, files, internals.trains_here(workflow), internals.is_main(workflow)], file)
    return 1

rule all:
    resources:
        told=tell,
    shell:
        "true"
"""


def told(folder: Path, *arguments: str) -> list[object]:
    (folder / "Snakefile").write_text(SNAKEFILE)
    call = [sys.executable, "-P", "-m", "snakemake", "--cores", "1", "--directory", str(folder)]
    call += ["--snakefile", str(folder / "Snakefile"), *arguments]
    done = subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads((folder / "told.json").read_text())


def test_a_call_says_its_configfile_and_where_it_trains(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    config = tmp_path / "sub/mine.yaml"
    config.write_text("title: x")
    assert told(tmp_path, "--configfile", str(config)) == [True, [str(config)], True, True]
    # `--config` alone is merged into the config that the Snakefile loads.
    assert told(tmp_path, "--config", "title=x", "--dry-run") == [False, [], False, True]


@pytest.mark.parametrize("path", ["${HOME}/x.zip", "a{b}", "{dataset}.zip", "<results>/x.zip"])
def test_a_path_that_snakemake_would_fill_in_is_known(path: str) -> None:
    assert not taken_literally(path)
    assert taken_literally("a (1) $b/[c]*?'é~.zip")


def test_a_folder_that_a_killed_snakemake_left_locked_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real one, killed while its job sleeps: known as running before, as gone after."""
    (tmp_path / "Snakefile").write_text("rule all:\n    output: 'done'\n    shell: 'touch begun; sleep 60'")
    call = [sys.executable, "-P", "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    running = subprocess.Popen(call, cwd=tmp_path, start_new_session=True)
    while not (tmp_path / "begun").exists():
        assert running.poll() is None
        time.sleep(0.05)
    assert not left_locked(tmp_path)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert left_locked(tmp_path)

    monkeypatch.chdir(tmp_path)
    Path("c.yaml").write_text("studies: [{name: a, title: A, runs: [{}]}]")
    assert main(["status", "c.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == unlock_hint(tmp_path)
    assert "`snakemake --unlock` unlocks" in unlock_hint(Path())
    assert f"`snakemake --directory {tmp_path}/sub --unlock` unlocks" in unlock_hint(tmp_path / "sub")
    shutil.rmtree(".snakemake/locks")
    assert not left_locked(tmp_path)


def test_snakemake_trains_in_results_runs_and_nowhere_else(tmp_path: Path) -> None:
    assert workdir_of(tmp_path / "results/runs") == tmp_path
    assert workdir_of(Path("results/runs/")) == Path.cwd()
    for folder in ("runs", "/", "results", "results/runs/x", ""):
        with pytest.raises(UserError, match="Snakemake trains in results/runs of a folder"):
            workdir_of(Path(folder))


@pytest.mark.parametrize(
    ("call", "names"),
    [
        ("-n", set()),
        ("-R train -n", {"train"}),
        ("all --forcerun train collect --cores 2", {"train", "collect"}),
        ("--forcerun=results/runs/a/metrics.json all", {"results/runs/a/metrics.json"}),
        ("-R train --config known=a.parquet -R collect", {"train", "collect"}),
    ],
)
def test_what_is_forced_is_read_from_the_call(
    monkeypatch: pytest.MonkeyPatch, call: str, names: set[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snakemake", *call.split()])
    assert forced() == names
