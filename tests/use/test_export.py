import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file

import cifarbench
from cifarbench.cli.parser import main
from cifarbench.data.manifest import IMAGES
from cifarbench.records.folder import RECORD
from cifarbench.records.record import read_record
from cifarbench.use.card import accuracy_interval
from cifarbench.use.export import hub_name

Fails = Callable[..., str]


@pytest.fixture(scope="module")
def exported(runs: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    call = ["export", "--runs", str(runs), "--run", "baseline", "--data", str(digits.parent)]
    assert main([*call, "--output", str(folder), "--hub-layout"]) == 0
    return folder / hub_name(read_record(runs / "baseline" / RECORD).run)


@pytest.mark.parametrize("batch", [1, 5])
def test_onnx_takes_pixels_in_any_batch_and_gives_the_runs_probabilities(
    exported: Path, runs: Path, digits: Path, batch: int
) -> None:
    import onnxruntime

    images = load_file(digits / IMAGES)["test_images"][:batch]
    session = onnxruntime.InferenceSession(exported / "model.onnx")
    (logits,) = session.run(["logits"], {"images": images})
    expected = cifarbench.predictor("baseline", runs).logits(torch.tensor(images)).detach().numpy()
    np.testing.assert_allclose(logits, expected, atol=1e-4)
    assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["classes"]) == list("0123456789")


def test_the_loader_needs_no_cifarbench_and_gives_the_runs_answer(
    exported: Path,
    runs: Path,
    digits: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "cifarbench" not in (exported / "load.py").read_text()
    image = load_file(digits / IMAGES)["test_images"][3]
    picture = tmp_path / "three.png"
    Image.fromarray(image.transpose(1, 2, 0)).save(picture)
    monkeypatch.setattr(sys, "argv", ["load.py", str(picture)])
    runpy.run_path(str(exported / "load.py"))
    shares = cifarbench.predictor("baseline", runs)([picture])[0]
    assert capsys.readouterr().out.split() == [str(picture), str(shares.argmax()), f"{shares.max():.1%}"]
    with safe_open(exported / "model.safetensors", framework="np") as file:
        assert json.loads(file.metadata()["classes"]) == list("0123456789")


def test_the_card_says_what_the_record_says(exported: Path, runs: Path) -> None:
    record = read_record(runs / "baseline" / RECORD)
    _, header, text = (exported / "README.md").read_text().split("---\n", 2)
    result = yaml.safe_load(header)["model-index"][0]["results"][0]
    assert result["dataset"]["name"] == "digits"
    assert result["metrics"][0]["value"] == record.final.test.top1
    low, high = accuracy_interval(record.final.test)
    assert f"Test accuracy {record.final.test.top1:.1%} ({low:.1%} to {high:.1%})" in text
    assert (
        "n = 360" in text
        and "1 epoch, " in text
        and "CC BY 4.0" in text
        and record.environment.device_name in text
    )


def test_the_interval_of_an_accuracy_is_wilsons(runs: Path) -> None:
    test = read_record(runs / "baseline" / RECORD).final.test
    low, high = accuracy_interval(test.model_copy(update={"top1": 0.9, "images": 100}))
    assert (low, high) == pytest.approx((0.8256, 0.9448), abs=1e-4)  # Newcombe, 1998, gives the formula


def test_names_on_the_hub_hold_only_what_the_hub_allows() -> None:
    run = "resnet9_optimizer=sgd_learning_rate=0.1_batch_size=512-0123abcd-s0"
    assert hub_name(run) == "resnet9_optimizer-sgd_learning_rate-0-1_batch_size-512-0123abcd-s0"


def test_what_cannot_be_exported_is_refused(
    runs: Path, digits: Path, tmp_path: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    call = ("export", "--runs", runs, "--data", digits.parent, "--output", output)
    assert "filters its images (denoise 'median')" in fails(*call, "--run", "lenet5")
    assert "cannot be read" in fails("export", "--runs", runs, "--run", "baseline", "--output", output)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "onnxruntime is not installed; pip install 'cifarbench[onnx]'" in fails(*call, "--run", "baseline")
    assert not output.exists()
