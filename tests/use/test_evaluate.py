import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cifarbench.cli.parser import main
from cifarbench.records.evaluated import EVALUATED, Evaluated, read_all_evaluated
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import read_record
from helpers.page import page_of
from helpers.synthetic import synthetic
from helpers.training import train

Fails = Callable[..., str]


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch trapped",)


@pytest.fixture
def evaluates(digits: Path, tmp_path: Path) -> Callable[..., Evaluated]:
    def run(weights: Path, *flags: object) -> Evaluated:
        output = tmp_path / "evaluated" / "theirs"
        call = ["evaluate", "--weights", weights, "--model", "baseline", "--scaling", "unit"]
        assert main([*map(str, call), "--data", str(digits), "--output", str(output), *map(str, flags)]) == 0
        assert load_file(output / PREDICTIONS)["label"].shape == (360,)
        return read_all_evaluated(tmp_path / "evaluated")[0]

    return run


def as_safetensors(weights: dict[str, torch.Tensor], path: Path) -> None:
    save_file(weights, path)


def as_state_dict(weights: dict[str, torch.Tensor], path: Path) -> None:
    torch.save(weights, path)


def as_a_training_script_saves(weights: dict[str, torch.Tensor], path: Path) -> None:
    torch.save({"epoch": 3, "state_dict": {f"module.{n}": w for n, w in weights.items()}}, path)


@pytest.mark.parametrize("save", [as_safetensors, as_state_dict, as_a_training_script_saves])
def test_weights_reach_what_the_run_that_they_are_of_reached(
    runs: Path, tmp_path: Path, evaluates: Callable[..., Evaluated], save: Callable[..., None]
) -> None:
    save(load_file(runs / "baseline" / WEIGHTS), tmp_path / "theirs.pt")
    found, trained = evaluates(tmp_path / "theirs.pt"), read_record(runs / "baseline" / RECORD)
    assert found.test.top1 == trained.final.test.top1
    assert found.test.confusion == trained.final.test.confusion
    assert found.test.loss == pytest.approx(trained.final.test.loss, abs=1e-5)
    assert (found.name, found.model, found.data.name) == ("theirs", trained.model, "digits")


def test_images_are_resized_as_the_network_wants_them(
    digits: Path, tmp_path: Path, evaluates: Callable[..., Evaluated]
) -> None:
    resized = ("--image-size", "24")
    trained = train(digits, tmp_path / "run", "--model", "baseline", "--scaling", "unit", *resized)
    found = evaluates(tmp_path / "run" / WEIGHTS, *resized)
    assert found.test.confusion == trained.final.test.confusion


def test_a_mapping_renames_and_leaves_out(
    runs: Path, tmp_path: Path, evaluates: Callable[..., Evaluated], fails: Fails
) -> None:
    weights = load_file(runs / "baseline" / WEIGHTS)
    first, *others = weights
    theirs = {f"net.{name}": weights[name] for name in others} | {
        "odd": weights[first],
        "step": torch.ones(1),
    }
    torch.save(theirs, tmp_path / "theirs.pt")
    (tmp_path / "names.yaml").write_text(f"net.: ''\nodd: {first!r}\nstep: null\n")
    found = evaluates(tmp_path / "theirs.pt", "--mapping", tmp_path / "names.yaml")
    assert found.test.top1 == read_record(runs / "baseline" / RECORD).final.test.top1


def test_what_does_not_fit_is_named_with_the_nearest_name(
    runs: Path, tmp_path: Path, digits: Path, fails: Fails
) -> None:
    def error(weights: object, *flags: object) -> str:
        torch.save(weights, tmp_path / "theirs.pt")
        call = ("evaluate", "--weights", tmp_path / "theirs.pt", "--model", "baseline", "--data", digits)
        return fails(*call, "--output", tmp_path / "out", *flags)

    weights = load_file(runs / "baseline" / WEIGHTS)
    name = next(name for name in weights if name.endswith(".weight"))
    misspelt = {n.replace(name, name + "s"): w for n, w in weights.items()}
    assert f"'{name}s' is not in the model (nearest: '{name}')" in error(misspelt)
    assert f"'{name}' is missing" in error({n: w for n, w in weights.items() if n != name})
    assert f"'{name}' has shape (1,), the model (" in error({**weights, name: torch.ones(1)})
    assert "holds no state dict" in error([1, 2])
    (tmp_path / "names.yaml").write_text("- a list\n")
    assert "must map their names to ours" in error(weights, "--mapping", tmp_path / "names.yaml")
    assert not (tmp_path / "out").exists()


def test_a_file_that_runs_code_is_refused_and_its_code_not_run(
    tmp_path: Path, digits: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call = ("evaluate", "--model", "baseline", "--data", digits, "--weights")
    for content in (Trap(), torch.nn.Linear(2, 2)):
        torch.save(content, "model.pkl")
        line = fails(*call, "model.pkl")
        assert "holds Python objects" in line and "torch.save(model.state_dict(), 'weights.pt')" in line
    Path("model.pkl").write_bytes(Path("model.pkl").read_bytes()[:99])
    assert "is neither" in fails(*call, "model.pkl")
    Path("notes.txt").write_text("no weights")
    assert "is neither safetensors nor a file of torch.save" in fails(*call, "notes.txt")
    assert "cannot be read: No such file" in fails(*call, "gone.pt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.pkl", "notes.txt"]


def test_the_report_shows_them_apart(runs: Path, tmp_path: Path, evaluates: Callable[..., Evaluated]) -> None:
    found = evaluates(runs / "baseline" / WEIGHTS)
    plan, table = synthetic()
    shown, plain = page_of(plan, table, evaluated=[found]), page_of(plan, table)
    assert "Evaluated, not trained here" not in plain
    section = shown[shown.index('<h2 id="evaluated">') :]
    assert f"{100 * found.test.top1:.1f} %" in section[: section.index("</section>")]
    assert (tmp_path / "evaluated" / "theirs" / EVALUATED).exists()
