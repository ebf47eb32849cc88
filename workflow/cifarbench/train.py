"""Train one run and write its record: `cifarbench train --model lenet5 --data data/cifar10 --output DIR`.

Everything random draws from a stream of its own (weights, order, dropout, each augmentation), seeded by
the run's seed and the stream's name. So changing one knob does not shuffle the others, and one seed means
the same order of images for every model.
"""

import copy
import hashlib
import logging
import math
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from .augment import Augmentation, scale
from .config import TrainConfig
from .data import Data, ImageSet, load
from .environment import describe_code, describe_environment
from .errors import UserError
from .evaluate import Outputs, accuracy, evaluate, finite, forward_all
from .files import atomic, sha256_of
from .manifest import MANIFEST, Manifest
from .model_files import BUILTIN_MODELS
from .models import build_model, count_flops, count_parameters
from .optimisation import make_loss, make_optimizer, make_schedule
from .plan import configuration_id
from .record import (
    PREDICTIONS,
    WEIGHTS,
    DataFacts,
    Epoch,
    Final,
    ModelFacts,
    Record,
    Seconds,
    write_record,
)

log = logging.getLogger(__name__)
CONVENTION_KNOBS = (
    "initialization",
    "batch_norm_momentum",
    "batch_norm_eps",
    "optimizer_eps",
    "rho",
    "initial_accumulator",
)


def train(
    config: TrainConfig, data_folder: Path, output: Path, model_file: Path | None, threads: int
) -> Record:
    """Train one run and write weights, predictions and, last, the record into `output`."""
    start = time.perf_counter()
    torch.set_num_threads(threads)
    device = choose_device(config.device)
    data = load(data_folder, config, device)
    torch.manual_seed(stream_seed(config.seed, "weights"))
    model = build_model(config, len(data.manifest.classes), model_file)
    facts = ModelFacts(
        **dict(zip(("parameters", "trainable_parameters"), count_parameters(model), strict=True)),
        flops=count_flops(model),
    )
    engine = Engine(config, data, model.to(device), device)
    setup = time.perf_counter() - start
    warmup = engine.warm_up()
    epochs = engine.fit()
    outputs, final = engine.final(epochs)
    save_weights(engine.kept_weights, output / WEIGHTS)
    save_predictions(outputs, output / PREDICTIONS)
    record = Record(
        run=f"{configuration_id(config)}-s{config.seed}",
        configuration=configuration_id(config),
        status="completed" if epochs[-1].running_train_loss is not None else "diverged",
        config=config,
        in_force={name: config.resolved(name) for name in CONVENTION_KNOBS},
        data=data_facts(data, data_folder),
        model=facts,
        epochs=epochs,
        final=final,
        seconds=Seconds(
            setup=setup,
            warmup=warmup,
            train=math.fsum(epoch.train_seconds for epoch in epochs),
            evaluation=math.fsum(epoch.evaluation_seconds for epoch in epochs),
            total=time.perf_counter() - start,
        ),
        images_per_second=len(epochs) * len(data.train) / math.fsum(e.train_seconds for e in epochs),
        peak_memory_bytes=peak_memory_bytes(device),
        environment=describe_environment(device),
        code=describe_code(model_file or BUILTIN_MODELS[config.model]),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_record(record, output)
    return record


class Engine:
    """A model in training: its optimizer, its random streams and the weights kept so far."""

    def __init__(self, config: TrainConfig, data: Data, model: nn.Module, device: torch.device) -> None:
        self.config, self.data, self.model, self.device = config, data, model, device
        self.loss = make_loss(config, model)
        self.optimizer = make_optimizer(config, model)
        self.schedule = make_schedule(config, self.optimizer, math.ceil(len(data.train) / config.batch_size))
        self.order = generator(config.seed, "order", torch.device("cpu"))
        streams = {name: generator(config.seed, name, device) for name in ("flip", "crop", "cutout")}
        self.augment = Augmentation(config, data.mean, data.std, streams)
        self.kept_weights: dict[str, Tensor] = {}
        self.best = -math.inf

    def autocast(self) -> torch.autocast:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    def warm_up(self) -> float:
        """Run one step on a copy of the model, so that lazy initialisation is not timed as training."""
        start = time.perf_counter()
        twin = copy.deepcopy(self.model).train()
        images, labels = self.data.train.batch(slice(self.config.batch_size))
        with self.autocast():
            logits = twin(scale(images, self.data.mean, self.data.std))
        self.loss(logits, labels).backward()
        synchronise(self.device)
        torch.manual_seed(stream_seed(self.config.seed, "dropout"))
        return time.perf_counter() - start

    def fit(self) -> list[Epoch]:
        """Train all epochs, or until the running loss is no longer finite."""
        epochs: list[Epoch] = []
        for number in range(1, self.config.epochs + 1):
            epoch = self.run_epoch(number)
            epochs.append(epoch)
            self.keep_if_chosen(epoch)
            log_epoch(epoch)
            if epoch.running_train_loss is None:
                log.warning("diverged: the loss of epoch %d is not finite; training ends here", number)
                break
        return epochs

    def run_epoch(self, number: int) -> Epoch:
        start = time.perf_counter()
        loss, correct, learning_rate = self.train_once()
        synchronise(self.device)
        trained = time.perf_counter()
        validation = self.outputs(self.data.validation) if len(self.data.validation) else None
        test = self.outputs(self.data.test)
        synchronise(self.device)
        return Epoch(
            epoch=number,
            learning_rate=learning_rate,
            running_train_loss=finite(loss),
            running_train_accuracy=correct.item(),
            validation_loss=finite(validation.loss) if validation else None,
            validation_accuracy=accuracy(validation).item() if validation else None,
            test_loss=finite(test.loss),
            test_accuracy=accuracy(test).item(),
            train_seconds=trained - start,
            evaluation_seconds=time.perf_counter() - trained,
        )

    def train_once(self) -> tuple[Tensor, Tensor, float]:
        """Pass once over the training images; return mean loss, accuracy, and the last learning rate."""
        part, size = self.data.train, self.config.batch_size
        order = torch.randperm(len(part), generator=self.order).to(self.device)
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        correct = torch.zeros((), device=self.device, dtype=torch.int64)
        learning_rate = self.config.learning_rate
        self.model.train()
        for positions in order.split(size):
            images, labels = part.batch(positions)
            with self.autocast():
                logits = self.model(self.augment(images))
            loss = self.loss(logits, labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            learning_rate = self.optimizer.param_groups[0]["lr"]
            if self.schedule:
                self.schedule.step()
            total += loss.detach() * len(labels)
            correct += (logits.detach().argmax(1) == labels).sum()
        return total / len(part), correct / len(part), learning_rate

    def outputs(self, part: ImageSet) -> Outputs:
        return forward_all(self.model, part, self.data, self.loss, self.autocast)

    def keep_if_chosen(self, epoch: Epoch) -> None:
        """Keep the weights of the last epoch, or of the first one with the best accuracy."""
        scores = {
            "last": epoch.epoch,
            "best_validation": epoch.validation_accuracy,
            "best_test": epoch.test_accuracy,
        }
        score = scores[self.config.report_epoch]
        if score is not None and score > self.best:
            self.best, self.kept_epoch = score, epoch.epoch
            weights = self.model.state_dict()
            self.kept_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def final(self, epochs: list[Epoch]) -> tuple[Outputs, Final]:
        """Load the kept weights, run them over the test set and the validation images, and evaluate."""
        self.model.load_state_dict(self.kept_weights)
        classes = len(self.data.manifest.classes)
        test = self.outputs(self.data.test)
        validation = self.outputs(self.data.validation) if len(self.data.validation) else None
        return test, Final(
            epoch=self.kept_epoch,
            chosen_by=self.config.report_epoch,
            validation=evaluate(validation, classes) if validation else None,
            test=evaluate(test, classes),
        )


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of one stream of random numbers; 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8]) >> 1


def generator(seed: int, stream: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(stream_seed(seed, stream))


def choose_device(wanted: str) -> torch.device:
    """Return the device. Raise UserError if a GPU is wanted and none is there."""
    available = torch.cuda.is_available()
    if wanted == "cuda" and not available:
        raise UserError("device: 'cuda' is not allowed: PyTorch sees no GPU here; use cpu or auto")
    return torch.device("cuda" if available and wanted != "cpu" else "cpu")


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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


def log_epoch(epoch: Epoch) -> None:
    def number(value: float | None) -> str:
        return "   -  " if value is None else f"{value:.4f}"

    log.info(
        "epoch %4d  lr %.6f  train loss %s acc %s  validation acc %s  test acc %s  %.2f s",
        epoch.epoch,
        epoch.learning_rate,
        number(epoch.running_train_loss),
        number(epoch.running_train_accuracy),
        number(epoch.validation_accuracy),
        number(epoch.test_accuracy),
        epoch.train_seconds,
    )
