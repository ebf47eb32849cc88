"""What training asks of safetensors, which is compiled and so cannot travel in a bundle: the same bytes.

The format: the length of the header in 8 bytes, the header in JSON, then the tensors one after another,
https://huggingface.co/docs/safetensors. The library puts those of large elements first, then goes by name.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

# In the library's order, from the last to the first.
NAMES = {
    **{np.dtype(name): short for name, short in (("bool", "BOOL"), ("u1", "U8"), ("i1", "I8"))},
    **{np.dtype(name): short for name, short in (("<i2", "I16"), ("<u2", "U16"), ("<f2", "F16"))},
    **{np.dtype(name): short for name, short in (("<i4", "I32"), ("<u4", "U32"), ("<f4", "F32"))},
    **{np.dtype(name): short for name, short in (("<f8", "F64"), ("<i8", "I64"), ("<u8", "U64"))},
}
ORDER = {dtype: -place for place, dtype in enumerate(NAMES)}
TYPES = {short: dtype for dtype, short in NAMES.items()}


class SafetensorError(Exception):
    pass


def save_file(tensors: Mapping[str, Any], path: Path) -> None:
    """Write NumPy's or PyTorch's tensors, on the processor."""
    arrays = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    names = sorted(arrays, key=lambda name: (ORDER[arrays[name].dtype], name))
    header, end = {}, 0
    for name in names:
        array, start = arrays[name], end
        end += array.nbytes
        shape = list(np.shape(tensors[name]))  # of a scalar none, which ascontiguousarray does not leave so
        header[name] = {"dtype": NAMES[array.dtype], "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(arrays[name].data)


class safe_open:  # noqa: N801 (the library's name)
    """The tensors of a file, mapped into memory; what is written to one stays out of the file."""

    def __init__(self, path: Path, framework: str) -> None:
        try:
            self.bytes = np.memmap(path, np.uint8, "c")
            (length,) = struct.unpack("<Q", self.bytes[:8].tobytes())
            self.header = json.loads(self.bytes[8 : 8 + length].tobytes())
            self.start = 8 + length
            self.header.pop("__metadata__", None)
            last = max((about["data_offsets"][1] for about in self.header.values()), default=0)
            if self.start + last != len(self.bytes):
                raise ValueError("its end is missing")
        except (ValueError, struct.error) as error:
            raise SafetensorError(f"no safetensors file: {error}") from None

    def __enter__(self) -> "safe_open":
        return self

    def __exit__(self, *_: object) -> None: ...

    def get_tensor(self, name: str) -> Any:
        import torch

        about = self.header[name]
        first, last = (self.start + offset for offset in about["data_offsets"])
        is_half = about["dtype"] == "BF16"  # which NumPy does not have
        kind = np.dtype("<i2") if is_half else TYPES[about["dtype"]]
        tensor = torch.from_numpy(np.asarray(self.bytes[first:last].view(kind).reshape(about["shape"])))
        return tensor.view(torch.bfloat16) if is_half else tensor


def load_file(path: Path) -> dict[str, Any]:
    """Read PyTorch's tensors."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.header}
