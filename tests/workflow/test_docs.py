"""The docs say what is there: verbs, targets, knobs; and the environments have the same versions."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

from cifarbench import __version__
from cifarbench.cli.parser import VERBS, main, parser
from cifarbench.config.benchmark import parse
from cifarbench.config.knobs import TrainConfig
from cifarbench.plan.plan import make_plan
from helpers.readme_table import readme_table
from helpers.repository import REPOSITORY

DOCS = REPOSITORY / "docs"


def read(path: str) -> str:
    return (REPOSITORY / path).read_text(encoding="utf-8")


def locked(python: str, lock: str = "envs/requirements.txt") -> dict[str, str]:
    """Return the versions that a lock gives on Linux with this Python."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    lines = re.findall(r"^([\w.-]+==[^\\\n]+?) *\\?$", read(lock), re.MULTILINE)
    requirements = [Requirement(line) for line in lines]
    return {
        r.name: str(r.specifier).removeprefix("==")
        for r in requirements
        if r.marker is None or r.marker.evaluate(environment)
    }


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_ends_with_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    help = capsys.readouterr().out
    assert help.rstrip().splitlines()[-1].startswith(f"example: cifarbench {verb}")
    example = shlex.split(help[help.rindex("example: cifarbench ") + 20 :].split(">")[0])
    parser(example).parse_args(example)
    assert f"cifarbench {verb}" in read("README.md")


def test_every_knob_has_help_and_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    help = capsys.readouterr().out
    for name, field in TrainConfig.model_fields.items():
        assert field.description
        assert name == "dataset" or f"--{name.replace('_', '-')} " in help


def test_help_needs_no_torch() -> None:
    program = (
        "import sys\nfrom cifarbench.cli.parser import VERBS, parser\n"
        "for verb in VERBS: parser([verb])\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_documents_name_only_targets_and_files_that_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    documents = ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
    for document in documents:
        assert set(re.findall(r"(?:^|`)make ([a-z-]+)", read(document), re.MULTILINE)) <= targets, document
        for path in re.findall(r"\]\(([^)#:]+)\)", read(document)):
            assert ((REPOSITORY / document).parent / path).exists(), f"{document}: {path}"
    assert {"demo", "test", "check"} <= targets


def test_the_readme_is_short_and_its_table_is_what_the_published_records_say() -> None:
    assert len(read("README.md").splitlines()) <= 150
    assert readme_table() in read("README.md")


def test_the_config_in_the_readme_is_one() -> None:
    [block] = yaml_blocks("README.md")
    assert len(make_plan(parse(yaml.safe_load(block))).runs) == 12


def yaml_blocks(path: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", read(path), re.DOTALL)


WHOLE = [
    pytest.param(block, id=f"{path.name}-{number}")
    for path in sorted((REPOSITORY / "docs").glob("*.md"))
    for number, block in enumerate(yaml_blocks(f"docs/{path.name}"))
    if "studies:" in block
]


@pytest.mark.parametrize("block", WHOLE)
def test_a_config_in_the_docs_is_one_and_short(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in re.findall(r"initial_weights: (\S+?),", block):
        Path(name).write_bytes(b"")  # planning hashes it, and no more
    assert make_plan(parse(yaml.safe_load(block))).runs
    assert block.count("\n") <= 15


def test_the_changelog_and_the_citation_have_this_version() -> None:
    assert f"## {__version__}" in read("CHANGELOG.md")
    assert yaml.safe_load(read("CITATION.cff"))["version"] == __version__


def test_the_conda_environment_has_the_versions_of_the_lock() -> None:
    environment = yaml.safe_load(read("envs/cifarbench.yaml"))
    python, _, pip = environment["dependencies"]
    pins = dict(line.split("==") for line in pip["pip"])
    versions = locked(python.removeprefix("python="))
    assert pins == {name: versions[name] for name in pins}
    asked = tomllib.loads(read("pyproject.toml"))["project"]["dependencies"]
    names = {Requirement(line).name for line in asked}
    assert set(pins) == {name for name in names if not name.startswith("snakemake")}


def test_the_locks_satisfy_the_project_and_name_no_address() -> None:
    base, extras = "envs/requirements.txt", "envs/extras.txt"
    assert "://" not in read(base) + read(extras)
    project = tomllib.loads(read("pyproject.toml"))["project"]
    optional = project["optional-dependencies"]
    of_base = [*project["dependencies"], *optional.pop("dev")]
    of_extras = [line for extra in optional.values() for line in extra]
    for python in ("3.11", "3.12"):
        assert not locked(python, base).keys() & locked(python, extras).keys()
        for lock, lines in ((base, of_base), (extras, of_extras)):
            versions = {name.lower(): version for name, version in locked(python, lock).items()}
            for wanted in map(Requirement, lines):
                assert wanted.specifier.contains(versions[wanted.name.lower()]), wanted


def test_a_reader_that_has_enough_ends_a_command_quietly() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    for call in (["schema"], ["--help"], ["plan", str(REPOSITORY / "examples/demo.yaml")]):
        command = [sys.executable, "-m", "cifarbench", *call]
        done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, check=False)
        assert done.stderr == "", call
    os.close(write_end)
