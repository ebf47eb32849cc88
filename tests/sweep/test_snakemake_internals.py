"""The insides of Snakemake that the rules and `plan --why` rest on are as they were."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cifarbench.config.text import taken_literally

# Says what the insides tell while the file is read, and in a resource, where the executor is known.
SNAKEFILE = """
import json
from cifarbench.sweep import snakemake_internals as internals

given = internals.configfile_given(workflow)
folders = [str(folder) for folder in internals.config_folders(workflow)]

def tell(wildcards):
    with open("told.json", "w") as file:
        json.dump([given, folders, internals.trains_here(workflow)], file)
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
    assert told(tmp_path, "--configfile", str(config)) == [True, [str(tmp_path / "sub")], True]
    # `--config` alone is merged into the config that the Snakefile loads.
    assert told(tmp_path, "--config", "title=x", "--dry-run") == [False, [], False]


@pytest.mark.parametrize("path", ["${HOME}/x.zip", "a{b}", "{dataset}.zip", "<results>/x.zip"])
def test_a_path_that_snakemake_would_fill_in_is_known(path: str) -> None:
    assert not taken_literally(path)
    assert taken_literally("a (1) $b/[c]*?'é~.zip")
