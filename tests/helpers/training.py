"""Short trainings on digits, and what of their results must be equal."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import torch

from cifarbench.cli.parser import main
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.models.build import build_model
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import Record, read_record
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import draw_weights_of


def train(digits: Path, output: Path, *flags: str) -> Record:
    small = ["--validation-images", "200", "--batch-size", "64", "--epochs", "1"]
    call = ["train", "--data", str(digits), "--output", str(output), *small, *flags]
    assert main(call) == 0
    return read_record(output / RECORD)


def engine_on(data: Path, config: TrainConfig) -> Engine:
    """Return the engine that trains on all training images of a normalised data set, on the processor."""
    torch.set_num_threads(1)  # as a training does by itself; more only wait for each other on small layers
    cpu, config = torch.device("cpu"), config.model_copy(update={"validation_images": 0})
    draw_weights_of(config)
    return Engine(config, load(data, config, cpu), build_model(config, 10), cpu)


def without_times(record: Record) -> dict[str, object]:
    content = record.model_dump(exclude={"seconds", "images_per_second", "peak_memory_bytes", "finished"})
    for epoch in content["epochs"]:
        del epoch["train_seconds"], epoch["evaluation_seconds"]
    return content


def content(record: Record) -> dict[str, object]:
    kept = without_times(record)
    del kept["resumptions"]
    return kept


def same_result(first: Path, second: Path) -> bool:
    for name in (WEIGHTS, PREDICTIONS):
        if (first / name).read_bytes() != (second / name).read_bytes():
            return False
    return content(read_record(first / RECORD)) == content(read_record(second / RECORD))


def flat(model: torch.nn.Module) -> torch.Tensor:
    """Return all parameters of a model as one vector."""
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def saying_to(call: list[str], log: Path) -> NoReturn:
    """Run a verb in this process, which ends with it; what it says goes to `log`."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    sys.exit(main(call))


def stop_after_epoch_2(running: subprocess.Popen[str]) -> None:
    """Ask a training, whose standard error is a pipe, to stop, and see it say that it has saved."""
    assert running.stderr is not None
    for line in running.stderr:
        if "epoch    2" in line:
            running.send_signal(signal.SIGTERM)
            break
    assert "stopped and saved" in running.stderr.read()
