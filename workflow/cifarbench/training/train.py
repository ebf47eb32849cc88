"""Train one run and write its record: `cifarbench train --model lenet5 --data data/cifar10 --output DIR`."""

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from cifarbench.config.ids import run_id
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.files import remove_strays
from cifarbench.models.catalogue import source_of
from cifarbench.models.measure import count_flops, count_parameters
from cifarbench.records.fingerprint import behaviour
from cifarbench.records.folder import CHECKPOINT, PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.heartbeat import HEARTBEAT
from cifarbench.records.record import Code, Fingerprint, ModelFacts, Record, write_record
from cifarbench.training.checkpoint import CHECKPOINT_FORMAT, Checkpoint
from cifarbench.training.checks import check_start
from cifarbench.training.cuda_graph import leave_default_stream
from cifarbench.training.device import (
    choose_device,
    naming_the_batch_size,
    prepare_torch,
    reset_peak_memory,
)
from cifarbench.training.engine import Engine
from cifarbench.training.environment import describe_code
from cifarbench.training.extra_tests import Loaded, load_extra_tests, run_extra_tests
from cifarbench.training.fingerprint import known_fingerprint
from cifarbench.training.initial import initial_model
from cifarbench.training.listeners import Listener
from cifarbench.training.saving import make_record, save_predictions, save_weights
from cifarbench.training.stopping import on_stop
from cifarbench.training.trial import without_auto

log = logging.getLogger(__name__)

T = TypeVar("T")


def train(
    config: TrainConfig,
    data_folder: Path,
    output: Path,
    model_file: Path | None = None,
    threads: int = 1,
    checkpoint_seconds: float = 300,
    listeners: Sequence[Listener] = (),
) -> Record:
    """Train one run and write weights, predictions and, last, the record into `output`.

    Goes on from the checkpoint in `output` if there is one. Raise Interrupted, with the checkpoint saved,
    when a signal asks to stop.
    """
    start = time.perf_counter()
    device = choose_device(config.device)
    prepare_torch(config, device, threads)
    leave_default_stream(device)
    data = load(data_folder, config, device)
    extra = load_extra_tests(config, data_folder.parent, data)
    model, anew = initial_model(config, data, model_file)
    if config.initial_weights:
        log.info("starts from %s; drawn anew: %s", config.initial_weights, ", ".join(anew) or "nothing")
    facts = model_facts(model, data.side, anew)
    source = source_of(config.model, own=model_file)
    check_start(config, data, model, source)
    code = describe_code(source)
    known, fingerprint_seconds = timed(known_fingerprint, config, data, code, output, model_file)
    reset_peak_memory(device)
    model = model.to(device)
    with naming_the_batch_size(config, device):
        chosen, trial_seconds = timed(without_auto, config, model, data, device, code.model_sha256)
    for name in (CHECKPOINT, HEARTBEAT, RECORD, WEIGHTS, PREDICTIONS):
        remove_strays(output / name)
    same = identity(chosen, data.manifest_sha256, code, device, known)
    checkpoint = Checkpoint(output, same, checkpoint_seconds)
    engine = Engine(chosen, data, model, device, checkpoint, listeners)
    engine.progress.setup_seconds += time.perf_counter() - start - trial_seconds - fingerprint_seconds
    engine.progress.trial_seconds += trial_seconds
    engine.progress.fingerprint_seconds += fingerprint_seconds
    with naming_the_batch_size(config, device):
        engine.progress.warmup_seconds += timed(engine.warm_up)[1]
        with on_stop(checkpoint.ask_to_stop):  # at the end a signal changes nothing: all is written first
            with engine.listeners.listening(config, model, engine.progress, engine.images_per_epoch):
                engine.fit()
                record = write_results(config, engine, extra, facts, code, known, output)
                engine.listeners.tell("ended", record, output, data_folder)
            return record


def model_facts(model: nn.Module, side: int, started_anew: list[str]) -> ModelFacts:
    parameters, trainable = count_parameters(model)
    return ModelFacts(
        parameters=parameters,
        trainable_parameters=trainable,
        flops=count_flops(model, side),
        started_anew=started_anew,
    )


def write_results(
    config: TrainConfig,
    engine: Engine,
    extra: list[Loaded],
    facts: ModelFacts,
    code: Code,
    known: Fingerprint | None,
    output: Path,
) -> Record:
    """Test the kept weights and write what the training has come to; the record last."""
    outputs, final = engine.final()
    final = final.model_copy(update=run_extra_tests(engine, extra))
    save_weights(engine.progress.kept_weights, output / WEIGHTS)
    save_predictions(outputs, output / PREDICTIONS)
    record = make_record(config, engine, facts, code, known, final)
    write_record(record, output)
    if engine.checkpoint:
        engine.checkpoint.remove()
    return record


def timed(work: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    """Return what `work` returns and how many seconds it took."""
    start = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - start


def identity(
    config: TrainConfig, data: str, code: Code, device: torch.device, known: Fingerprint | None
) -> dict[str, str]:
    """Return what must be the same for a checkpoint to be continued: `data` is the manifest's hash, and the
    config has no `auto` left. The sources may have changed, but not how they train.
    """
    return {
        "run": run_id(config),
        "format": CHECKPOINT_FORMAT,
        "data": data,
        "behaviour": behaviour(known) if known else code.source_sha256,
        "model": code.model_sha256,
        "device": device.type,
        "torch": str(torch.__version__),
    }
