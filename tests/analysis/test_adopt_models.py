"""Whether a run is adopted, by where its model comes from."""

from importlib.metadata import version
from pathlib import Path

import pytest

from cifarbench.analysis.adopt import AS_BEFORE, Here, Judge, NotTaken, here
from cifarbench.config.benchmark import parse
from cifarbench.files import sha256_of
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.plan.plan import make_plan
from cifarbench.records.fingerprint import training_source_hash

LIBRARY = "torchvision/mobilenet_v3_small"
OURS = training_source_hash()


@pytest.fixture
def today(tmp_path: Path) -> Here:
    file = tmp_path / "mine.py"
    file.write_text("def build(classes):\n    ...\n")
    models = [{"name": "mine", "file": str(file)}]
    runs = [{"dataset": "digits", "model": [LIBRARY, "lenet5", "mine"]}]
    plan = make_plan(parse({"models": models, "studies": [{"name": "s", "title": "S", "runs": runs}]}))
    return here(plan, {"mine": file}, tmp_path / "data")


def how(today: Here, model: str, sha256: str, tmp_path: Path, sources: str = OURS, kept: bool = False) -> str:
    row = {
        "run": "r",
        "config.model": model,
        "data.name": "digits",
        "data.images_sha256": "i",
        "code.source_sha256": sources,
        "code.model_sha256": sha256,
        "environment.versions.torch": "2",
    }
    return Judge(str(tmp_path / "known.parquet"), today, ["r"] if kept else []).how(row)


def test_each_model_is_known_by_what_it_is_made_of(today: Here, tmp_path: Path) -> None:
    assert today.models == {
        LIBRARY: f"torchvision {version('torchvision')}",
        "lenet5": sha256_of(BUILTIN_MODELS["lenet5"]),
        "mine": sha256_of(tmp_path / "mine.py"),
    }


@pytest.mark.parametrize("model", [LIBRARY, "lenet5", "mine"])
def test_what_is_equal_here_is_taken(today: Here, tmp_path: Path, model: str) -> None:
    assert how(today, model, today.models[model], tmp_path) == "trained by the sources that are here"
    assert isinstance(how(today, model, "other", tmp_path), NotTaken)


@pytest.mark.parametrize(("model", "stays"), [(LIBRARY, True), ("lenet5", True), ("mine", False)])
def test_only_an_edit_of_a_file_of_ones_own_gives_up_what_was_adopted(
    today: Here, tmp_path: Path, model: str, stays: bool
) -> None:
    found = how(today, model, "before", tmp_path, sources="before", kept=True)
    assert (found == AS_BEFORE) == stays
    assert isinstance(found, NotTaken) != stays
