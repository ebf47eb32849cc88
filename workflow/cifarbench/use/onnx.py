"""Write a network as an ONNX file, and check what the file computes."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.export import ExportedProgram

from cifarbench.files import atomic


def write_onnx(program: ExportedProgram, metadata: dict[str, str], path: Path) -> None:
    """Write a program that takes `images` with a batch of any size; the metadata go with the model."""
    for chatty in ("onnxscript", "onnx_ir"):
        logging.getLogger(chatty).setLevel("WARNING")
    exported = torch.onnx.export(program, dynamo=True, verbose=False, output_names=["logits"])
    assert exported is not None  # what torch.onnx returns without dynamo
    shape = exported.model.graph.inputs[0].shape
    assert shape is not None  # of images
    exported.rename_axes({str(shape[0]): "batch"})
    exported.model.metadata_props.update(metadata)
    with atomic(path) as temporary:
        exported.save(temporary, external_data=False)


def onnx_logits(path: Path, images: Tensor) -> Tensor:
    """Return what the file computes with onnxruntime on a CPU, (N, classes)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    return torch.from_numpy(np.asarray(logits))
