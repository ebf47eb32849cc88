"""Interruption: stopped or killed at any moment, a training goes on to the very same bits."""

import io
import logging
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from cifarbench.cli.parser import main
from cifarbench.errors import UserError
from cifarbench.records.folder import CHECKPOINT, RECORD
from cifarbench.records.record import read_record
from cifarbench.training.checkpoint import Checkpoint, seal
from cifarbench.training.engine import Engine
from cifarbench.training.stopping import on_stop
from helpers.training import same_result, saying_to, train

# Between them: every optimizer state, schedule, random stream and way to keep weights.
RECIPES = {
    "adam, all augmentation, dropout": "--model baseline --flip true --crop-padding 4 --cutout 8 "
    "--dropout 0.5 --rand-augment 9 --color-jitter 0.4",
    "sgd, warm-up and cosine": "--optimizer sgd --momentum 0.9 --learning-rate 0.05 --schedule cosine "
    "--warmup-epochs 0.5 --report-epoch best_validation",
    "rmsprop, one cycle, bfloat16": "--optimizer rmsprop --schedule one_cycle --precision bfloat16 "
    "--model baseline",
    "adagrad, multistep": "--optimizer adagrad --schedule multistep --milestones 1,2 --conventions keras",
    "adamw, mixup, average, clipped": "--optimizer adamw --weight-decay 0.1 --decay-on matrices --mixup 0.4 "
    "--ema-decay 0.9 --gradient-clip 1 --schedule linear --crop-padding 2 --crop-border reflect",
    "sgd, cutmix, warm-up, stable, decay": "--optimizer sgd --learning-rate 0.05 --cutmix 1 "
    "--random-erasing 0.5 --warmup-epochs 0.5 --schedule warmup_stable_decay --decay-share 0.5 "
    "--initialization dirac",
    "muon, alternating flips, whitening": "--model airbench94 --width 0.1 --whitening true --optimizer muon "
    "--muon-rest sgd --momentum 0.6 --nesterov true --learning-rate 0.1 --flip alternating",
    "adadelta, best test epoch": "--optimizer adadelta --learning-rate 0.5 --report-epoch best_test",
}
FEW = ["--validation-images", "20", "--batch-size", "4"]  # 20 steps an epoch
EPOCHS = 3
KILLS = 10
FORKS = multiprocessing.get_context("forkserver")  # processes that begin with torch imported
FORKS.set_forkserver_preload(["cifarbench.training.train"])


@pytest.mark.parametrize("recipe", RECIPES)
def test_stopped_at_random_steps_it_ends_with_the_same_bits(
    few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recipe: str
) -> None:
    flags = [*FEW, "--epochs", str(EPOCHS), *RECIPES[recipe].split()]
    train(few, tmp_path / "whole", *flags)

    stops = sorted(random.Random(recipe).sample(range(1, 20 * EPOCHS), 4))
    steps, plain_step = 0, Engine.step

    def stopping_step(self: Engine, positions: torch.Tensor) -> None:
        nonlocal steps
        if self.checkpoint:  # which the replay of a fingerprint has not
            steps += 1
            self.checkpoint.stop_asked = steps in stops
        plain_step(self, positions)

    monkeypatch.setattr(Engine, "step", stopping_step)
    call = ["train", "--data", str(few), "--output", str(tmp_path / "stopped"), *flags]
    for _ in stops:
        with pytest.raises(SystemExit) as stop:
            main(call)
        assert stop.value.code == 75
        assert [path.name for path in (tmp_path / "stopped").iterdir()] == [CHECKPOINT]
    assert main(call) == 0
    assert steps == 20 * EPOCHS
    assert same_result(tmp_path / "whole", tmp_path / "stopped")
    record = read_record(tmp_path / "stopped" / RECORD)
    assert record.resumptions == len(stops)
    assert record.seconds.train == pytest.approx(sum(e.train_seconds for e in record.epochs))
    assert not (tmp_path / "stopped" / CHECKPOINT).exists()


def call_of(digits: Path, output: Path, *flags: str) -> list[str]:
    small = ["--validation-images", "200", "--batch-size", "64", "--model", "baseline"]
    return ["train", "--data", str(digits), "--output", str(output), *small, *flags]


def process(call: list[str], log: Path) -> BaseProcess:
    """Start a training in a process that begins with torch imported; what it says goes to `log`."""
    running = FORKS.Process(target=saying_to, args=(call, log))
    running.start()
    return running


def test_each_signal_saves_and_the_same_command_goes_on(digits: Path, tmp_path: Path) -> None:
    flags, log = ["--epochs", "24"], tmp_path / "log"
    train(digits, tmp_path / "whole", "--model", "baseline", *flags)
    call = call_of(digits, tmp_path / "stopped", *flags)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        log.unlink(missing_ok=True)
        running = process(call, log)
        while not log.exists() or "epoch  " not in log.read_text():  # one more is over
            assert running.is_alive()
            time.sleep(0.005)
        os.kill(running.pid, number)
        running.join()
        assert running.exitcode == 75
        assert "stopped and saved; the same command goes on from there" in log.read_text()
        assert "Traceback" not in log.read_text()
    again = process(call, log)
    again.join()
    assert again.exitcode == 0
    assert "going on after epoch" in log.read_text()
    assert same_result(tmp_path / "whole", tmp_path / "stopped")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_training_ends_it_in_one_line_and_lets_retries_go_on(
    digits: Path, tmp_path: Path, number: signal.Signals
) -> None:
    fifo = tmp_path / "model.py"
    os.mkfifo(fifo)  # whose reader waits, which holds the training at its start
    call = call_of(digits, tmp_path / "out", "--model-file", str(fifo))
    running = subprocess.Popen([sys.executable, "-m", "cifarbench", *call], stderr=subprocess.PIPE, text=True)
    writer = None
    while writer is None:
        assert running.poll() is None
        time.sleep(0.01)
        with suppress(OSError):  # as long as it does not read yet
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    running.send_signal(number)
    said = running.communicate(timeout=30)[1]
    os.close(writer)
    assert running.returncode == 75
    assert said == "cifarbench train: stopped; the same command goes on\n"


def test_a_signal_at_the_end_changes_nothing(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(digits, tmp_path / "whole")
    whole = Engine.final

    def final(engine: Engine) -> object:
        signal.raise_signal(signal.SIGTERM)
        return whole(engine)

    monkeypatch.setattr(Engine, "final", final)
    train(digits, tmp_path / "asked")
    assert same_result(tmp_path / "whole", tmp_path / "asked")


def test_killed_at_random_moments_it_ends_with_the_same_bits(few: Path, tmp_path: Path) -> None:
    """kill -9, again and again, while a checkpoint is written after every step."""
    flags = [*FEW, "--epochs", "20", "--flip", "true"]
    train(few, tmp_path / "whole", "--model", "baseline", *flags)
    checkpoint = tmp_path / "killed" / CHECKPOINT
    moments = random.Random(0)

    def written() -> int:
        return checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0

    call = call_of(few, tmp_path / "killed", *flags, "--checkpoint-minutes", "0")
    for _ in range(KILLS):
        running, before = FORKS.Process(target=main, args=(call,)), written()
        running.start()
        while written() == before:
            assert running.is_alive()
        time.sleep(moments.uniform(0, 0.1))
        running.kill()
        running.join()
        assert running.exitcode == -signal.SIGKILL
    train(few, tmp_path / "killed", "--model", "baseline", *flags)
    assert same_result(tmp_path / "whole", tmp_path / "killed")
    assert read_record(tmp_path / "killed" / RECORD).resumptions == KILLS
    assert not list((tmp_path / "killed").glob("*set-aside"))


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


class Harm:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("harm",)


@pytest.fixture(scope="module")
def whole(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train(few, folder, *FEW)
    return folder


@pytest.mark.parametrize(
    "fault",
    ["cut off", "one bit", "no checkpoint", "a pickle that runs code", "another tool's", "another seed's"],
)
def test_a_checkpoint_that_is_not_ours_is_set_aside(
    few: Path, whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    output, path = tmp_path / "run", tmp_path / "run" / CHECKPOINT
    checkpoint = Checkpoint(output, {"run": "another"}, 0)
    checkpoint.save({"weights": torch.zeros(1000)})
    if fault == "cut off":
        path.write_bytes(path.read_bytes()[:2000])
    elif fault == "one bit":
        damaged = bytearray(path.read_bytes())
        damaged[-3000] ^= 16
        path.write_bytes(damaged)
    elif fault == "no checkpoint":
        path.write_text("no checkpoint")
    elif fault == "a pickle that runs code":
        path.write_bytes(seal(saved({"identity": Harm()})))
    elif fault == "another tool's":
        path.write_bytes(seal(saved([torch.zeros(3)])))
    caplog.set_level(logging.WARNING)
    train(few, output, *FEW)
    assert same_result(output, whole)
    assert (output / f"{CHECKPOINT}.set-aside").exists()
    assert not Path("harm").exists()
    reason = "has another" if fault == "another seed's" else "cannot be read"
    assert reason in caplog.text
    assert "training starts over" in caplog.text


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_no_training_that_can_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    checkpoint = Checkpoint(tmp_path, {}, 0)
    checkpoint.save({"epoch": 1})
    with room_for(10_000):
        checkpoint.save({"epoch": 2, "weights": torch.zeros(100_000)})
        assert caplog.messages[0].startswith(f"{checkpoint.path}: cannot be written: File too large")
        assert caplog.messages[0].endswith("; training goes on")
        checkpoint.stop_asked = True
        with pytest.raises(UserError, match="cannot be written: File too large"):
            checkpoint.save({"epoch": 2, "weights": torch.zeros(100_000)})
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]
    assert checkpoint.load(torch.device("cpu"))["epoch"] == 1


def test_no_signal_is_lost_or_kept(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    checkpoint = Checkpoint(tmp_path, {}, 1e9)
    with on_stop(checkpoint.ask_to_stop):
        assert not checkpoint.due
        signal.raise_signal(signal.SIGTERM)
        assert checkpoint.due
    assert signal.getsignal(signal.SIGTERM) is before
