"""Train one run and write its record: `cifarbench train --model lenet5 --data data/cifar10 --output DIR`."""

import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils import flop_counter

from .checkpoint import Checkpoint
from .cuda_graph import leave_default_stream
from .data import Data, load
from .engine import Engine, stream_seed
from .environment import describe_code, describe_environment
from .errors import UserError
from .evaluate import Outputs
from .files import atomic, sha256_of
from .knobs import CONVENTION_KNOBS, TrainConfig
from .manifest import MANIFEST, Manifest
from .model_files import BUILTIN_MODELS
from .models import build_model, count_flops, count_parameters
from .plan import configuration_id, run_id
from .record import PREDICTIONS, WEIGHTS, Code, DataFacts, Final, ModelFacts, Record, write_record
from .trial import TRIED, without_auto

T = TypeVar("T")
CLEAR_REFS = Path("/proc/self/clear_refs")


def train(
    config: TrainConfig,
    data_folder: Path,
    output: Path,
    model_file: Path | None = None,
    threads: int = 1,
    checkpoint_seconds: float = 300,
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
    torch.manual_seed(stream_seed(config.seed, "weights"))
    model = build_model(config, len(data.manifest.classes), model_file)
    facts = ModelFacts(
        **dict(zip(("parameters", "trainable_parameters"), count_parameters(model), strict=True)),
        flops=count_flops(model),
    )
    model = model.to(device)
    code = describe_code(model_file or BUILTIN_MODELS[config.model])
    with naming_the_batch_size(config, device):
        chosen, trial_seconds = timed(without_auto, config, model, data, device, code.model_sha256)
    checkpoint = Checkpoint(output, identity(chosen, data_folder, code, device), checkpoint_seconds)
    engine = Engine(chosen, data, model, device, checkpoint)
    setup = time.perf_counter() - start - trial_seconds
    with naming_the_batch_size(config, device):
        engine.progress.setup_seconds += setup
        engine.progress.trial_seconds += trial_seconds
        engine.progress.warmup_seconds += timed(engine.warm_up)[1]
        with checkpoint.listening():
            engine.fit()
        outputs, final = engine.final()
    save_weights(engine.progress.kept_weights, output / WEIGHTS)
    save_predictions(outputs, output / PREDICTIONS)
    record = make_record(config, engine, facts, code, final, data_folder)
    write_record(record, output)
    checkpoint.remove()
    return record


def make_record(
    config: TrainConfig, engine: Engine, model: ModelFacts, code: Code, final: Final, data_folder: Path
) -> Record:
    """Describe the run of `config`; the engine's own config has no `auto` left."""
    data, progress = engine.data, engine.progress
    seconds = progress.seconds()
    return Record(
        run=run_id(config),
        configuration=configuration_id(config),
        status="completed" if progress.epochs[-1].running_train_loss is not None else "diverged",
        config=config,
        in_force={name: engine.config.resolved(name) for name in (*CONVENTION_KNOBS, *TRIED)},
        data=data_facts(data, data_folder),
        model=model,
        epochs=progress.epochs,
        final=final,
        seconds=seconds,
        images_per_second=len(progress.epochs) * len(data.train) / seconds.train,
        resumptions=progress.resumptions,
        peak_memory_bytes=peak_memory_bytes(engine.device),
        environment=describe_environment(engine.device),
        code=code,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def prepare_torch(config: TrainConfig, device: torch.device, threads: int) -> None:
    """Set what holds for the whole process. Must be called before anything runs on the device."""
    torch.set_num_threads(threads)
    reset_peak_memory(device)
    if config.compile and device.type == "cpu" and shutil.which(os.environ.get("CXX", "g++")) is None:
        raise UserError(
            "compile: True is not allowed: it needs the C++ compiler g++ here; install it, or remove compile"
        )
    if not config.compile:
        keep_compiler_out()
    if device.type == "cuda":
        # As PyTorch's notes on reproducibility ask.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(config.deterministic, warn_only=True)
        torch.backends.cudnn.benchmark = not config.deterministic
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # nobody reads it


def timed(work: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    """Return what `work` returns and how many seconds it took."""
    start = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - start


def keep_compiler_out() -> None:
    """Spare each process the import of PyTorch's compiler, more than a second, which nothing here uses.

    Optimizers and the counter of FLOPs ask for it only to have themselves left alone by it; a function
    that carries the mark `__dynamo_disable` is taken to be done.
    """
    for owner in (torch.optim.Optimizer, getattr(flop_counter, "_FlopCounterMode", object)):
        for function in vars(owner).values():
            wrapped = getattr(function, "__wrapped__", None)
            if wrapped is not None:
                wrapped.__dynamo_disable = wrapped


def identity(config: TrainConfig, data_folder: Path, code: Code, device: torch.device) -> dict[str, str]:
    """Return what must be the same for a checkpoint to be continued; the config has no `auto` left."""
    return {
        "run": run_id(config),
        "data": sha256_of(data_folder / MANIFEST),
        "sources": code.source_sha256,
        "model": code.model_sha256,
        "device": device.type,
        "torch": str(torch.__version__),
    }


def choose_device(wanted: str) -> torch.device:
    """Return the device. Raise UserError if a GPU is wanted and none is there."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UserError("device: 'cuda' is not allowed: PyTorch sees no GPU here; use cpu or auto")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


@contextmanager
def naming_the_batch_size(config: TrainConfig, device: torch.device) -> Iterator[None]:
    """Turn running out of memory into the line that says what to change."""
    try:
        yield
    except RuntimeError as error:  # PyTorch has a class of its own for this on a GPU, none on a CPU
        if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in str(error):
            raise
        raise UserError(
            f"batch_size: {config.batch_size} is too much for model {config.model!r} in the memory of this "
            f"{device.type}; choose a smaller one"
        ) from None


def reset_peak_memory(device: torch.device) -> None:
    """Forget what an earlier run in this process used. On Linux alone; elsewhere its peak stays in."""
    if device.type == "cuda":
        if torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR_REFS.exists():
        CLEAR_REFS.write_text("5")


def peak_memory_bytes(device: torch.device) -> int:
    """Return the most memory that was in use: the device's, or on a CPU the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def save_weights(weights: dict[str, Tensor], path: Path) -> None:
    with atomic(path) as temporary:
        save_file({name: tensor.cpu().contiguous() for name, tensor in weights.items()}, temporary)


def save_predictions(outputs: Outputs, path: Path) -> None:
    """Save label, predicted class (int16) and its probability (float32) of each test image."""
    probability, predicted = outputs.logits.softmax(1).max(1)
    with atomic(path) as temporary:
        save_file(
            {
                "label": outputs.labels.short().cpu(),
                "predicted": predicted.short().cpu(),
                "probability": probability.cpu(),
            },
            temporary,
        )


def data_facts(data: Data, folder: Path) -> DataFacts:
    manifest: Manifest = data.manifest
    return DataFacts(
        name=manifest.name,
        manifest_sha256=sha256_of(folder / MANIFEST),
        images_sha256=manifest.images_sha256,
        classes=manifest.classes,
        train_images=len(data.train),
        validation_images=len(data.validation),
        test_images=len(data.test),
    )
