"""The fingerprint of a configuration: a few of its steps replayed in float64, where rounding hides nothing.

In float32 the losses of two machines part within some ten steps by more than a changed epsilon moves them. In
float64, on a few images, they agree to eleven digits or more, so that what is left is how the training
behaves. The replay goes through the engine itself, on the processor, with one seed for all runs. Initial
weights are drawn in float64, too, since processors draw them in float32 with another last digit.
"""

import hashlib
import logging
import math
from dataclasses import replace
from glob import escape
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cifarbench.config.ids import configuration_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, ImageSet
from cifarbench.errors import UserError
from cifarbench.records.folder import PACKED, RECORD
from cifarbench.records.record import Code, Fingerprint, Record, read_record
from cifarbench.training.engine import Engine
from cifarbench.training.evaluate import finite
from cifarbench.training.initial import initial_model
from cifarbench.training.schedules import Schedule

RULE = 1  # to be raised when the figures mean something else
BATCH, IMAGES = 8, 20  # so three steps, the last of them on a smaller batch
HIGHEST_RATE = 0.001  # since the larger a step, the more of the rounding in it is left after the next
PARTS = 16  # of a run's steps, whose mean learning rates are kept
CPU = torch.device("cpu")

log = logging.getLogger(__name__)


class Replay(Engine):
    """An engine on a few of the images, at the rates of all, that keeps how far each step moved."""

    def __init__(self, config: TrainConfig, data: Data, model: nn.Module) -> None:
        super().__init__(config, sample(data), model, CPU)
        self.schedule = Schedule(config, len(data.train))
        self.update_norms: list[float] = []

    def step(self, positions: Tensor) -> None:
        before = [weights.detach().clone() for weights in self.model.parameters()]
        super().step(positions)
        moved = [w.detach() - b for w, b in zip(self.model.parameters(), before, strict=True)]
        self.update_norms.append(math.sqrt(math.fsum(m.square().sum().item() for m in moved)))


class NotReplayable(Exception):
    """A model that cannot compute in float64; says why."""


def fingerprint(config: TrainConfig, data: Data, model_file: Path | None) -> Fingerprint:
    """Replay the first steps of a configuration that can train. Leaves torch's generators as they are.

    Raise NotReplayable.
    """
    replayed = replayed_config(config)
    try:
        with torch.random.fork_rng(devices=[]):
            initial_weights = hash_of_weights(model_in(torch.float32, replayed, data, model_file))
            model = model_in(torch.float64, replayed, data, model_file)
            engine = Replay(replayed, data, model)
            engine.warm_up()
            engine.train_rest_of_epoch()
            engine.progress.read_first(BATCH, engine.images_per_epoch)
            tested = engine.outputs(engine.data.test, config.test_time_augmentation)
    except Exception as error:  # whatever a model of the user's own may raise
        raise NotReplayable(str(error)) from error
    return Fingerprint(
        rule=RULE,
        initial_weights_sha256=initial_weights,
        losses=engine.progress.first_losses,
        update_norms=[norm if math.isfinite(norm) else None for norm in engine.update_norms],
        final_loss=finite(tested.loss),
        learning_rates=mean_rates(Schedule(config, len(data.train))),
    )


def replayed_config(config: TrainConfig) -> TrainConfig:
    """Return what is replayed: the same for all seeds, and without what only decides how fast it is."""
    changes: dict[str, Any] = {
        "seed": 0,
        "weights_seed": None,
        "order_seed": None,
        "batch_size": BATCH,
        "learning_rate": min(config.learning_rate, HIGHEST_RATE),
        "precision": "float32",  # no autocast; the weights decide
        "memory_format": "contiguous" if config.memory_format == "auto" else config.memory_format,
        "compile": False,
        "device": "cpu",
    }
    return config.model_copy(update=changes)


def sample(data: Data) -> Data:
    """Return images evenly spaced over those that train, to train and to test on, scaled in float64."""
    spaced = torch.arange(IMAGES, device=data.train.rows.device) * len(data.train) // IMAGES
    images, labels = data.train.batch(spaced)
    every = torch.arange(IMAGES)
    part = ImageSet(images.cpu(), labels.cpu(), every)
    scale = replace(data.scale, mean=data.scale.mean.cpu().double(), std=data.scale.std.cpu().double())
    return replace(data, train=part, validation=replace(part, rows=every[:0]), test=part, scale=scale)


def model_in(dtype: torch.dtype, config: TrainConfig, data: Data, file: Path | None) -> nn.Module:
    """Build a model whose weights are drawn, and kept, in a type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return initial_model(config, data, file)[0].to(dtype)
    finally:
        torch.set_default_dtype(before)


def hash_of_weights(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def mean_rates(schedule: Schedule) -> list[float]:
    """Return the mean learning rate of each of PARTS parts of a run's steps, or of as many as there are."""
    rates = [schedule(step) for step in range(schedule.config.epochs * schedule.steps_per_epoch)]
    ends = sorted({len(rates) * part // PARTS for part in range(PARTS + 1)})
    return [math.fsum(rates[start:end]) / (end - start) for start, end in pairwise(ends)]


def known_fingerprint(
    config: TrainConfig, data: Data, code: Code, output: Path, model_file: Path | None
) -> Fingerprint | None:
    """Return the fingerprint from the record of another seed, if there is one of the same code and data.

    Otherwise replay. None, with a warning, for a model that cannot: no training fails for it.
    """
    runs = (output.parent if output.name == PACKED else output).parent
    for other in (f"*/{RECORD}", f"*/{PACKED}/{RECORD}"):
        for path in runs.glob(escape(configuration_id(config)) + "-s" + other):
            found = of_record(path, data, code)
            if found:
                return found
    try:
        return fingerprint(config, data, model_file)
    except NotReplayable as error:
        log.warning("no fingerprint: this model cannot be replayed in float64: %s", error)
        return None


def of_record(path: Path, data: Data, code: Code) -> Fingerprint | None:
    """Return the fingerprint in a record that is of the same code, data and torch."""
    try:
        record = read_record(path)
    except UserError:  # which `status` names
        return None
    return record.fingerprint if like(record, data, code) else None


def like(record: Record, data: Data, code: Code) -> bool:
    return (
        record.code.source_sha256 == code.source_sha256
        and record.code.model_sha256 == code.model_sha256
        and record.data.images_sha256 == data.manifest.images_sha256
        and record.environment.versions["torch"] == version("torch")
    )
