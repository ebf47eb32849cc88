"""What is wrong with a call, the machine or the data is said in one line, before anything is written."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cifarbench.training.engine import Engine

COMPILED = ["--validation-images", "200", "--compile", "true"]


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--epochs", "0"], "flags.epochs: '0' is not allowed: input should be greater than or equal to 1"),
        (["--optimizer", "adamm"], "flags.optimizer: 'adamm' is not allowed: input should be 'sgd'"),
        (["--model", "lenet"], "flags.model: 'lenet' is not known; did you mean 'lenet5'?"),
        (["--model", "resnet18", "--dropout", "0.5"], "dropout: 0.5 has no effect on model 'resnet18'"),
        (["--model-file", "none.py"], "none.py: cannot be read as a model"),
        (
            ["--validation-images", "1437"],
            "1437 is not allowed: data set 'digits' has 1437 training images",
        ),
        (["--momentum", "0.5"], "momentum 0.5 has no effect with optimizer 'adam'; remove it, or choose"),
        (
            ["--threads", "0"],
            "argument --threads: '0' is not allowed: it must be a whole number of 1 or more",
        ),
        (["--epochs"], "error: argument --epochs: expected one argument; see cifarbench train --help"),
        (
            ["--epoch", "3"],
            "'--epoch' is not understood; did you mean '--epochs'? `cifarbench train --help` ",
        ),
    ],
)
def test_a_wrong_flag_is_one_line_and_leaves_nothing(
    digits: Path, tmp_path: Path, fails: Callable[..., str], flags: list[str], line: str
) -> None:
    call = ["train", "--data", digits, "--output", tmp_path / "out"]
    validation = [] if "--validation-images" in flags else ["--validation-images", "0"]
    assert line in fails(*call, *validation, *flags)
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_said_with_the_batch_size(
    digits: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "step", lambda *_: torch.empty(2**50))
    call = ["train", "--data", digits, "--output", tmp_path / "out", "--validation-images", "0"]
    line = fails(*call, "--batch-size", "99")
    assert "batch_size: 99 is too much for model 'lenet5' in the memory of this cpu; choose a smaller" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_in_a_line(
    digits: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    call = ["train", "--data", digits, "--output", tmp_path / "out", "--validation-images", "0"]
    assert "device: 'cuda' is not allowed: PyTorch sees no GPU here" in fails(*call, "--device", "cuda")


def test_compiling_without_a_compiler_is_said_in_a_line(
    digits: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    line = fails("train", "--data", digits, "--output", tmp_path / "run", *COMPILED)
    assert line.endswith(
        "compile: True is not allowed: it needs the C++ compiler g++ here; install it, or remove compile"
    )
    assert not (tmp_path / "run").exists()


def test_data_that_is_missing_or_spoilt_is_named(
    digits: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    call = ["--output", tmp_path / "out", "--validation-images", "0"]
    assert "manifest.json: cannot be read: No such file" in fails("train", "--data", tmp_path, *call)
    (tmp_path / "manifest.json").write_bytes((digits / "manifest.json").read_bytes())
    (tmp_path / "images.safetensors").write_bytes(b"spoilt")
    assert "images.safetensors: cannot be read" in fails("train", "--data", tmp_path, *call)
