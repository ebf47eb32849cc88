"""Write a trained run for use without this package: ONNX, torch.export, safetensors, a loader, a card.

Each holds the normalisation of the run's images: a network takes pixels of 0..255, (N, 3, H, W) uint8 with
any N, and returns logits (N, classes).
"""

import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from cifarbench.data.loading import load as load_data
from cifarbench.errors import UserError
from cifarbench.files import atomic, write_text
from cifarbench.records.record import Record
from cifarbench.use.card import card
from cifarbench.use.onnx import onnx_logits, write_onnx
from cifarbench.use.predictor import Predictor, load
from cifarbench.use.runs import Trained, manifest_of

CHECKED_IMAGES = 64
TOLERANCE = 1e-4  # of a logit
HUB_NAME_LENGTH = 96


class WithScaling(nn.Module):
    """A network behind the scaling of its images."""

    mean: Tensor
    std: Tensor

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.network = predictor.model
        self.register_buffer("mean", predictor.scaled.mean)
        self.register_buffer("std", predictor.scaled.std)

    def forward(self, images: Tensor) -> Tensor:
        return self.network((images.float() - self.mean) / self.std)


def export(trained: Trained, data: Path, output: Path, own: Sequence[Path] = ()) -> float:
    """Write the run into `output`, the card last; return how far ONNX's logits are from torch's at most.

    Raise UserError, without a card, if ONNX or the program computes something else on real test images.
    """
    record = trained.record
    if record.config.denoise != "none":
        raise UserError(
            f"run: {record.run!r} filters its images (denoise {record.config.denoise!r}), which no network "
            "does; export a run without"
        )
    manifest_of(record, data)
    images = load_data(data / record.data.name, record.config, torch.device("cpu")).test.images[
        :CHECKED_IMAGES
    ]
    network = WithScaling(load(trained, data, own)).eval()
    program = as_program(network, images, record)
    facts = config_of(record)
    with atomic(output / "model.pt2") as temporary:
        torch.export.save(program, temporary.with_suffix(".pt2"))
        temporary.with_suffix(".pt2").replace(temporary)
    write_onnx(program, {name: json.dumps(value) for name, value in facts.items()}, output / "model.onnx")
    with atomic(output / "model.safetensors") as temporary:
        weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(weights, temporary, {"format": "pt", **{k: json.dumps(v) for k, v in facts.items()}})
    write_text(output / "config.json", json.dumps(facts, indent=1) + "\n")
    write_text(output / "load.py", resources.files("cifarbench.use").joinpath("loader.py").read_text())
    difference = check(output, network, images)
    write_text(output / "README.md", card(record, difference, len(images)))
    return difference


def as_program(network: nn.Module, images: Tensor, record: Record) -> ExportedProgram:
    # An example of one image would fix the batch at one.
    try:
        return torch.export.export(network, (images[:2],), dynamic_shapes={"images": {0: Dim("batch")}})
    except Exception as error:  # torch has a class of its own for each cause
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"model: torch.export cannot follow {record.config.model!r}: {reason}") from None


def config_of(record: Record) -> dict[str, Any]:
    """Return what a user of the network must know, for config.json and the metadata of the files."""
    side = record.data.image_size
    return {
        "run": record.run,
        "model": record.config.model,
        "classes": record.data.classes,
        "input": f"images: uint8 (batch, 3, {side}, {side}), red, green, blue",
        "image_size": side,
        "output": "logits: float32 (batch, classes)",
    }


@torch.no_grad()
def check(folder: Path, network: nn.Module, images: Tensor) -> float:
    expected = network(images)
    program = torch.export.load(folder / "model.pt2").module()
    answers = {"model.onnx": onnx_logits(folder / "model.onnx", images), "model.pt2": program(images)}
    differences = {name: (logits - expected).abs().max().item() for name, logits in answers.items()}
    for name, difference in differences.items():
        if not difference <= TOLERANCE:
            raise UserError(
                f"{folder / name}: its logits differ from PyTorch's by {difference:.2g} on test images, "
                f"more than {TOLERANCE:g}; do not use it"
            )
    return differences["model.onnx"]


def hub_name(run: str) -> str:
    """Return a run's id as the Hugging Face hub takes it for a repository."""
    return re.sub(r"[^A-Za-z0-9_]+", "-", run)[-HUB_NAME_LENGTH:].strip("-")
