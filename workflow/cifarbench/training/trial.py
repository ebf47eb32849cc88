"""Which way to compute is the fastest here: a short trial before a training whose knobs say `auto`.

What wins depends on model, batch size and machine, so it is measured. The answer is kept for the next run
of this user on this kind of machine, so that all seeds of a configuration compute alike.
"""

import copy
import hashlib
import itertools
import json
import logging
import time
from pathlib import Path

import torch
from platformdirs import user_cache_path
from pydantic import BaseModel, Field, PositiveFloat
from torch import nn

from cifarbench.config.knobs import MODEL_KNOBS, TrainConfig
from cifarbench.data.loading import Data
from cifarbench.errors import UserError
from cifarbench.files import read_model, write_text
from cifarbench.training.device import device_name, first_line, is_out_of_memory, synchronise
from cifarbench.training.engine import Engine

TRIED = {"precision": ("float32", "bfloat16"), "memory_format": ("contiguous", "channels_last")}
# What the time of a step depends on, beside the machine; the other knobs may differ and share an answer.
DECISIVE = (
    *("model", *MODEL_KNOBS, "image_size", "freeze", "batch_norm", "batch_size", "optimizer", "loss"),
    *("compile", "cuda_graph", "deterministic", *TRIED),
)
SECONDS = 0.4  # of training, for each way
TRIAL_FORMAT = 2  # to be raised when a step has become so much faster one way that all should be tried again

log = logging.getLogger(__name__)


class Trial(BaseModel):
    """Images per second of each way, written as `precision memory_format`."""

    images_per_second: dict[str, PositiveFloat] = Field(min_length=1)

    def fastest(self) -> dict[str, str]:
        way = max(self.images_per_second, key=lambda way: self.images_per_second[way])
        return dict(zip(TRIED, way.split(), strict=True))


def without_auto(
    config: TrainConfig, model: nn.Module, data: Data, device: torch.device, model_sha256: str
) -> TrainConfig:
    """Return the config with each `auto` replaced by what is fastest, tried now or before.

    The model is left as it is. Of several jobs that try the same at once, the first to end decides for all.
    """
    if all(getattr(config, name) != "auto" for name in TRIED):
        return config
    path = cache_folder() / f"{digest(config, data, device, model_sha256)}.json"
    trial = kept(path)
    if trial is None:
        rates = {" ".join(way): rate(way, config, model, data, device) for way in ways(config)}
        trial = kept(path) or keep(Trial(images_per_second={w: r for w, r in rates.items() if r}), path)
    for way, images_per_second in trial.images_per_second.items():
        log.info("tried %s: %.0f images/s", way, images_per_second)
    return config.model_copy(update=trial.fastest())


def cache_folder() -> Path:
    return user_cache_path("cifarbench") / "trials"


def kept(path: Path) -> Trial | None:
    """Return the answer that is kept in a file; None where there is none that can be read."""
    try:
        return read_model(Trial, path, "cifarbench train") if path.exists() else None
    except (OSError, UserError) as error:
        log.warning("%s; trying again", error)
        return None


def keep(trial: Trial, path: Path) -> Trial:
    """Keep the answer for the next run, where that can be done."""
    try:
        if path.is_absolute():  # as it is not for a user without a home
            write_text(path, trial.model_dump_json(indent=1) + "\n")
    except UserError as error:
        log.warning("%s; the next run tries again", error)
    return trial


def ways(config: TrainConfig) -> list[tuple[str, ...]]:
    """Return every combination of the values that may be tried."""
    values = {name: getattr(config, name) for name in TRIED}
    return list(itertools.product(*(TRIED[n] if value == "auto" else [value] for n, value in values.items())))


def rate(
    way: tuple[str, ...], config: TrainConfig, model: nn.Module, data: Data, device: torch.device
) -> float:
    """Return images per second of training a copy of the model this way; 0 where it fails here."""
    # Without its schedule, which may have fewer steps than a trial takes.
    changes = {**dict(zip(TRIED, way, strict=True)), "schedule": "none", "milestones": ()}
    engine = Engine(config.model_copy(update=changes), data, copy.deepcopy(model).train(), device)
    try:
        engine.warm_up()
    except RuntimeError as error:
        if is_out_of_memory(error) or way == ways(config)[0]:  # the plainest
            raise
        log.warning("%s cannot be had here: %s", " ".join(way), first_line(error))
        return 0.0
    positions = torch.arange(min(config.batch_size, len(data.train)), device=device)
    steps, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < SECONDS:
        engine.step(positions)
        synchronise(device)
        steps += 1
    return steps * len(positions) / elapsed


def digest(config: TrainConfig, data: Data, device: torch.device, model_sha256: str) -> str:
    """Hash what the answer depends on."""
    facts = {
        "knobs": {name: getattr(config, name) for name in DECISIVE},
        "classes": len(data.manifest.classes),
        "side": data.side,
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "format": TRIAL_FORMAT,
        "model": model_sha256,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
