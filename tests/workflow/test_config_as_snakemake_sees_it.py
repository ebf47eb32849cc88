"""What `plan` accepts, a real Snakemake accepts too, and no text of a config means anything to it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifarbench.cli.parser import main
from helpers.archives import image_folder
from helpers.repository import SMALL, run, snakemake, trained, write_config

BRACES = "ResNet$_{18}$ {run} {{x}} ${HOME} <results> %s \\1 `id` $(id) 'a' \"b\" é {input.plan} {params}"


def test_no_text_of_a_config_is_filled_in(tmp_path: Path) -> None:
    """In a real run of the rule `plan`, with modules of the working folder that would shadow Python's own."""
    for name in ("random", "statistics", "yaml", "torch"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    source = image_folder(tmp_path / "${HOME}" / "{dataset} <x>")
    study = {"name": "s", "title": BRACES, "question": BRACES, "runs": [{"label": BRACES, "dataset": "mine"}]}
    weights = source / "{run}.pt"
    weights.touch()
    dataset = {"name": "mine", "format": "folder", "source": str(source)}
    config = write_config(
        tmp_path,
        title=BRACES,
        note=BRACES,
        studies=[study],
        datasets=[dataset],
        defaults={**SMALL, "seed": [0, 1], "initial_weights": str(weights)},
    )
    output = run(tmp_path, "results/plan.json", "--configfile", config)
    plan = json.loads((tmp_path / "results/plan.json").read_text())
    assert plan["title"] == plan["note"] == plan["studies"][0]["question"] == BRACES
    [uses] = plan["studies"][0]["configurations"].values()
    assert uses["label"] == BRACES
    output = run(tmp_path, "--configfile", config, "--dry-run")
    assert f"--source '{source}'" in output
    assert f"--initial-weights '{weights}'" in output
    assert len(trained(output)) == 2


def test_a_key_that_is_given_twice_stops_snakemake_too(tmp_path: Path) -> None:
    config = Path(write_config(tmp_path, {}))
    config.write_text(config.read_text() + "title: again\n")
    result = snakemake(tmp_path, "--configfile", str(config), "--dry-run")
    assert result.returncode == 1
    assert "key 'title' is there twice" in result.stdout
    assert "Traceback" not in result.stdout


TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [BRACES, "{a}", "{", "<b>", "\\", "~"]
)
NAMES = st.text("aB1_-{. ", min_size=1, max_size=5)
KNOBS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(-1, 9) | st.lists(st.integers(0, 9), max_size=3),
        "learning_rate": st.floats(1e-6, 1) | st.lists(st.floats(1e-3, 1), max_size=2),
        "model": st.sampled_from(["lenet5", "baseline", "resnet", None]),
        "epochs": st.integers(0, 3),
        "flip": st.booleans(),
        "label": TEXT | st.none() | st.integers(),
        "dataset": st.sampled_from(["digits", "cifar10", "mine", "x"]),
    },
)
STUDY = st.fixed_dictionaries(
    {"name": NAMES, "title": TEXT, "runs": st.lists(KNOBS, min_size=1, max_size=3)},
    optional={"question": TEXT},
)
FOLDER = st.text("ab{}<>$.~ '\"%é", min_size=1, max_size=8)


def accepted(folder: Path, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Tell whether `plan` takes a config, called as a user calls it in the folder."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    with monkeypatch.context() as here:
        here.chdir(folder)
        code = main(["plan", str(path)])
    assert code in (0, 2)
    return code == 0


@settings(
    max_examples=3,
    derandomize=True,
    database=None,
    suppress_health_check=[*HealthCheck],
)
@given(studies=st.lists(STUDY, min_size=12, max_size=20), source=FOLDER, title=TEXT, note=TEXT)
def test_what_plan_accepts_a_dry_run_accepts(
    tmp_path_factory: pytest.TempPathFactory,
    studies: list[dict[str, Any]],
    source: str,
    title: str,
    note: str,
) -> None:
    """Each study is asked of `plan` alone; those that it accepts, together, of one dry run."""
    folder = tmp_path_factory.mktemp("seen")
    with pytest.MonkeyPatch.context() as monkeypatch:
        (folder / "data").mkdir()
        (folder / source).mkdir(exist_ok=True) if source not in (".", "..") else None
        config: dict[str, Any] = {
            "datasets": [{"name": "mine", "format": "folder", "source": source}],
            "studies": [{"name": "plain", "title": "", "runs": [{"dataset": "mine"}]}],
        }
        for extra in ({"title": title}, {"note": note}):
            config |= extra if accepted(folder, config | extra, monkeypatch) else {}
        for study in studies:
            more = {**config, "studies": [*config["studies"], study]}
            config = more if accepted(folder, more, monkeypatch) else config
        if accepted(folder, config, monkeypatch):
            result = snakemake(folder, "--configfile", str(folder / "config.yaml"), "--dry-run")
            assert result.returncode == 0, result.stdout
