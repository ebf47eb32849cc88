"""A trained run, ready to classify: pictures in, probabilities out, on the CPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.loading import Scaling, denoised, scaling
from cifarbench.data.readers.decode import decode
from cifarbench.data.readers.source import Images
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import needs_file
from cifarbench.models.sources import model_sha256
from cifarbench.records.folder import WEIGHTS
from cifarbench.records.record import Record
from cifarbench.use.runs import Trained, choose, manifest_of

BATCH = 500  # images per forward pass

Picture = str | Path | bytes  # where it lies, or the content of its file


@dataclass(frozen=True)
class Predictor:
    """The kept weights of a run, and what is done to an image before they see it."""

    record: Record
    model: nn.Module
    scaled: Scaling

    def __call__(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the probability of each of `classes`, (N, classes).

        Raise UserError for a file that is no picture.
        """
        return self.probabilities(np.stack([self.prepared(picture) for picture in pictures]))

    @property
    def classes(self) -> list[str]:
        return self.record.data.classes

    def prepared(self, picture: Picture) -> Images:
        """Return what the network sees of a picture, before it is scaled: (3, H, W) uint8."""
        if isinstance(picture, bytes):
            return self.filtered(decode(picture, reading(self.record))[None])[0]
        try:
            return self.prepared(Path(picture).read_bytes())
        except OSError as error:
            raise UserError(f"{picture}: cannot be read: {error.strerror}") from None
        except UserError as error:
            raise UserError(f"{picture}: {error}") from None

    def filtered(self, images: Images) -> Images:
        """Return images as decoded, (N, 3, H, W) uint8, with the run's filter applied."""
        return denoised(torch.tensor(images), self.record.config.denoise).numpy()

    @torch.no_grad()
    def probabilities(self, images: Images) -> NDArray[np.float32]:
        """Return the probability of each class for images as prepared, (N, 3, H, W) uint8."""
        parts = torch.from_numpy(np.ascontiguousarray(images)).split(BATCH)
        return torch.cat([self.logits(part).softmax(1) for part in parts]).numpy()

    def logits(self, images: Tensor) -> Tensor:
        return self.model(self.scaled(images))


def predictor(
    run: str,
    runs: str | Path = "results/runs",
    data: str | Path = "data",
    model_file: str | Path | None = None,
) -> Predictor:
    """Load a run by its id, its folder, or `best`: the one with the highest validation accuracy.

    `data` holds one folder a data set; `model_file` is for a model of the user's own.
    """
    own = [] if model_file is None else [Path(model_file)]
    return load(choose(Path(runs), [run])[0], Path(data), own)


def load(trained: Trained, data: Path, own: Sequence[Path] = ()) -> Predictor:
    """Load a run; `own` are files of the user's own, among which that of the run's model is found."""
    record = trained.record
    model = build_model(record.config, len(record.data.classes), file_of(record, own), record.data.image_size)
    path = trained.folder / WEIGHTS
    try:
        model.load_state_dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read: {error}; `{trained.training_command}` makes it") from None
    except RuntimeError:
        raise UserError(
            f"{path}: does not fit model {record.config.model!r} as it is today; "
            f"remove the run and train it again with `{trained.training_command}`"
        ) from None
    mean, std = statistics(record, data)
    return Predictor(record, model.eval(), scaling(record.config, mean, std, torch.device("cpu")))


def file_of(record: Record, own: Sequence[Path]) -> Path | None:
    """Return which of the user's own files a run's model is from; None for a built-in one."""
    for file in own:
        if model_sha256(file) == record.code.model_sha256:
            return file
    name = record.config.model
    if not needs_file(name):
        return None
    given = " or ".join(map(str, own))
    fault = f"is not from {given} as it is today" if own else "is from a file of your own"
    raise UserError(f"model: {name!r} {fault}; name its file with --model-file")


def reading(record: Record) -> ReadOptions:
    """Return how a run's data set had its pictures read."""
    known = {"background": record.data.background} if record.data.background else {}
    return ReadOptions(**known, image_size=record.data.image_size)


def statistics(record: Record, data: Path) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each channel of the images that a run was trained on."""
    if record.data.mean and record.data.std:
        return record.data.mean, record.data.std
    manifest = manifest_of(record, data)
    return manifest.mean, manifest.std
