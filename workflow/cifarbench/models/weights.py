"""Weights in a file: a state dict, as safetensors or as torch.save writes it."""

import pickle
import zipfile
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cifarbench.errors import UserError

WRAPPERS = ("module.", "_orig_mod.")  # which DataParallel and torch.compile put before every name
HOLDERS = ("state_dict", "model_state_dict", "model", "net")  # where training scripts keep the state dict


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict. Raise UserError for a pickled model, whose loading would run what is in the file."""
    try:
        return load_file(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    except SafetensorError:
        pass  # then it is what torch.save writes
    with path.open("rb") as file:
        is_pickle = file.read(1) == b"\x80"
    if not is_pickle and not zipfile.is_zipfile(path):
        raise UserError(f"{path}: is neither safetensors nor a file of torch.save")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: holds Python objects, not only weights, and loading those runs whatever is in them; "
            "ask its owner to run `model = torch.load(FILE, weights_only=False)` and "
            "`torch.save(model.state_dict(), 'weights.pt')`, and evaluate that file"
        ) from None
    except (RuntimeError, EOFError, ValueError) as error:
        raise UserError(f"{path}: is broken: {str(error).splitlines()[0]}; fetch it again") from None
    for holder in HOLDERS:
        if isinstance(content, Mapping) and isinstance(content.get(holder), Mapping):
            content = content[holder]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no state dict, a mapping from names to tensors")
    return dict(content)


def unwrapped(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights by their plain names."""
    for wrapper in WRAPPERS:
        if all(name.startswith(wrapper) for name in weights):
            weights = {name.removeprefix(wrapper): tensor for name, tensor in weights.items()}
    return weights


def start_from(path: Path, model: nn.Module) -> list[str]:
    """Give a model those weights of a file that have its names and shapes; return the layers that get none.

    Raise UserError if none fits.
    """
    weights, own = unwrapped(read_weights(path)), model.state_dict()
    fitting = {name for name in weights.keys() & own if weights[name].shape == own[name].shape}
    if not fitting & {name for name, _ in model.named_parameters()}:
        first = next(iter(weights), "nothing")
        raise UserError(
            f"initial_weights: {path} fits no layer of this model: it holds {first!r}{near(first, list(own))}"
            "; give weights of this model"
        )
    with torch.no_grad():
        for name in fitting:
            own[name].copy_(weights[name])
    lacking = (name for name in own if name not in fitting and not name.endswith("num_batches_tracked"))
    return list(dict.fromkeys(name.rpartition(".")[0] or name for name in lacking))


def near(name: str, missing: list[str]) -> str:
    close = get_close_matches(name, missing, n=1)
    return f" (nearest: {close[0]!r})" if close else ""
