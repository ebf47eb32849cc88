"""The stand-ins do what the packages do that they stand for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch

from cifarbench.bundle.standins import pydantic
from cifarbench.bundle.standins import safetensors as standin

TYPES = ["bool", "u1", "i1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8"]


def test_tensors_are_written_to_the_same_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for number, name in enumerate(TYPES):
        arrays[f"z{name}"] = random.integers(0, 2, (number, 3)).astype(name)
        arrays[f"a{name}"] = random.integers(0, 2, number + 1).astype(name)
    arrays["scalar"], arrays["ü"] = np.array(3, np.int64), np.arange(6.0).reshape(2, 3).T
    for library, tensors in (
        (safetensors.numpy, {name: np.ascontiguousarray(a) if a.ndim else a for name, a in arrays.items()}),
        (safetensors.torch, {name: torch.from_numpy(a.copy()).contiguous() for name, a in arrays.items()}),
    ):
        library.save_file(tensors, tmp_path / "theirs")
        standin.save_file(tensors, tmp_path / "ours")
        assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    with standin.safe_open(tmp_path / "theirs", framework="pt") as file:
        for name, array in arrays.items():
            assert torch.equal(file.get_tensor(name), torch.from_numpy(array.copy()))


def test_weights_of_others_are_read_as_the_library_reads_them(tmp_path: Path) -> None:
    half = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3)
    safetensors.torch.save_file({"half": half, "whole": half.float()}, tmp_path / "file", {"format": "pt"})
    read = standin.load_file(tmp_path / "file")
    assert read.keys() == {"half", "whole"}
    assert all(torch.equal(read[name], there) for name, there in (("half", half), ("whole", half.float())))
    (tmp_path / "file").write_bytes((tmp_path / "file").read_bytes()[:-1])
    with pytest.raises(standin.SafetensorError, match="its end is missing"):
        standin.load_file(tmp_path / "file")


@pytest.mark.parametrize("content", [b"", b"1234", b"\x05\0\0\0\0\0\0\0{...}"])
def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(standin.SafetensorError):
        standin.safe_open(tmp_path / "file", framework="pt")


class Part(pydantic.BaseModel):
    steps: tuple[int, ...] = ()


class Whole(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    name: str
    part: Part | None = None
    parts: list[Part] = pydantic.Field([], exclude_if=lambda parts: not parts)
    by_name: dict[str, Part] = pydantic.Field({})


def test_models_come_back_from_json_as_they_were() -> None:
    part = Part(steps=(1, 2))
    for whole in (Whole(name="ü"), Whole(name="x", part=part, parts=[part, Part()], by_name={"a": part})):
        assert Whole.model_validate_json(whole.model_dump_json()) == whole
    assert "parts" not in Whole(name="x").model_dump()
    assert Whole.model_fields["parts"].default == []
    assert Whole(name="x").model_copy({"name": "y"}) == Whole(name="y")
    assert Whole(name="x").parts is not Whole(name="y").parts


@pytest.mark.parametrize(
    "text", ["{}", '{"name": "x", "nome": 1}', "[]", "{", '{"name": "x", "part": {"a": 1}}']
)
def test_what_is_no_such_json_is_refused(text: Any) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        Whole.model_validate_json(text)
    assert refused.value.errors()[0]["msg"]
