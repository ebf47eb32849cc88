"""The training loop: a model, its optimizer and its random streams, step by step, saved and restored.

Everything random draws from a stream of its own (weights, order, dropout, each augmentation), seeded by
the run's seed and the stream's name. So changing one knob does not shuffle the others, and one seed means
the same order of images for every model.
"""

import logging
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, ImageSet
from cifarbench.records.record import Epoch, Final
from cifarbench.training.augment import Augmentation
from cifarbench.training.checkpoint import Checkpoint, Interrupted, State
from cifarbench.training.cuda_graph import RecordedStep, can_be_recorded
from cifarbench.training.device import synchronise
from cifarbench.training.evaluate import Outputs, accuracy, evaluate, finite, forward_all
from cifarbench.training.losses import make_loss
from cifarbench.training.optimizers import make_optimizer
from cifarbench.training.progress import Progress
from cifarbench.training.random_streams import generator, random_state, set_random_state, stream_seed
from cifarbench.training.schedules import make_schedule
from cifarbench.training.torch_internals import plain_step

log = logging.getLogger(__name__)


class Engine:
    """A model in training: its optimizer, its random streams, and how far it is."""

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        model: nn.Module,
        device: torch.device,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        layout = torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format
        self.config, self.data, self.device = config, data.in_layout(layout), device
        self.model = model.to(memory_format=layout)
        self.forward: Callable[[Tensor], Tensor] = (
            torch.compile(self.model, dynamic=False) if config.compile else self.model
        )
        self.checkpoint = checkpoint
        self.loss = make_loss(config, model)
        self.optimizer = make_optimizer(config, model)
        self.optimizer_step = plain_step(self.optimizer)
        self.schedule = make_schedule(config, self.optimizer, math.ceil(len(data.train) / config.batch_size))
        self.learning_rate = config.learning_rate  # of the step before
        augmenting = {name: generator(config.seed, name, device) for name in ("flip", "crop", "cutout")}
        self.augment = Augmentation(config, self.data.scaled, augmenting)
        self.generators = {**augmenting, "order": generator(config.seed, "order", torch.device("cpu"))}
        self.dropout_state: State = {}
        self.progress = Progress(
            torch.zeros((), device=device, dtype=torch.float64),
            torch.zeros((), device=device, dtype=torch.int64),
        )
        self.recorded: RecordedStep | None = None
        state = checkpoint.load(device) if checkpoint else None
        if state:
            self.restore(state)

    def autocast(self) -> torch.autocast:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    def warm_up(self) -> None:
        """Take a step without effect, which keeps first-time work out of the times; on a GPU record it."""
        before = {tensor: tensor.detach().clone() for tensor in self.tensors()}
        streams = {name: generator.get_state() for name, generator in self.generators.items()}
        positions = torch.arange(min(self.config.batch_size, len(self.data.train)), device=self.device)
        self.model.train()
        if can_be_recorded(self.config, self.device) and self.is_whole(positions):
            self.recorded = RecordedStep(self.compute, positions, self.optimizer, self.augment.generators)
        else:
            self.compute(positions)
        with torch.no_grad():
            for tensor in self.tensors():
                # What the optimizer has made by now began as zeros.
                tensor.copy_(before[tensor]) if tensor in before else tensor.zero_()
        for name, stream in streams.items():
            self.generators[name].set_state(stream)
        synchronise(self.device)
        torch.manual_seed(stream_seed(self.config.seed, "dropout"))
        if self.dropout_state:
            set_random_state(self.dropout_state)

    def tensors(self) -> list[Tensor]:
        """Return every tensor that a step changes, as far as it exists yet."""
        of_optimizer = (value for values in self.optimizer.state.values() for value in values.values())
        return [
            *self.model.parameters(),
            *self.model.buffers(),
            *(value for value in of_optimizer if isinstance(value, Tensor)),
            self.progress.total_loss,
            self.progress.correct,
        ]

    def state(self) -> State:
        """Return everything that the rest of the training depends on."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict() if self.schedule else None,
            "generators": {name: generator.get_state() for name, generator in self.generators.items()},
            "dropout": random_state(self.device),
            "progress": self.progress.to_state(),
        }

    def restore(self, state: State) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule:
            self.schedule.load_state_dict(state["schedule"])
        for name, generator_state in state["generators"].items():
            self.generators[name].set_state(generator_state.cpu())
        self.dropout_state = state["dropout"]
        self.progress = Progress.from_state(state["progress"])
        log.info("going on after epoch %d and %d images", len(self.progress.epochs), self.progress.position)

    def fit(self) -> None:
        """Train all epochs, or until the running loss is no longer finite."""
        epochs = self.progress.epochs
        while len(epochs) < self.config.epochs:
            self.train_rest_of_epoch()
            epochs.append(self.end_epoch())
            self.keep_if_chosen(epochs[-1])
            log_epoch(epochs[-1])
            if epochs[-1].running_train_loss is None:
                log.warning("diverged: the loss of epoch %d is not finite; training ends here", len(epochs))
                break
            self.save_if_due()

    def train_rest_of_epoch(self) -> None:
        """Pass over the training images once, or over those that a stopped pass has left."""
        progress, part, size = self.progress, self.data.train, self.config.batch_size
        if progress.order is None:
            progress.order = torch.randperm(len(part), generator=self.generators["order"]).to(self.device)
            progress.total_loss.zero_()
            progress.correct.zero_()
        self.model.train()
        start = time.perf_counter() - progress.epoch_seconds
        for positions in progress.order[progress.position :].split(size):
            self.step(positions)
            progress.note_first()
            progress.position += len(positions)
            if self.checkpoint and self.checkpoint.due and progress.position < len(part):
                synchronise(self.device)
                progress.epoch_seconds = time.perf_counter() - start
                self.save_if_due()
        synchronise(self.device)
        progress.epoch_seconds = time.perf_counter() - start

    def step(self, positions: Tensor) -> None:
        """Take one step of the optimizer, and of the schedule, on the training images at positions (N,)."""
        if self.recorded and self.is_whole(positions):
            self.recorded(positions)
        else:
            self.compute(positions)
        self.learning_rate = self.optimizer.param_groups[0]["lr"]
        if self.schedule:
            self.schedule.step()

    def compute(self, positions: Tensor) -> None:
        """Do all of a step that the device does. Nothing here may wait for a value or depend on one."""
        images, labels = self.data.train.batch(positions)
        # The compiled one is made for this size alone.
        forward = self.forward if self.is_whole(positions) else self.model
        with self.autocast():
            logits = forward(self.augment(images))
        loss = self.loss(logits, labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer_step()
        self.progress.total_loss += loss.detach() * len(labels)
        self.progress.correct += (logits.detach().argmax(1) == labels).sum()

    def is_whole(self, positions: Tensor) -> bool:
        """Tell whether this is a batch of the full size; the last of an epoch may be smaller."""
        return len(positions) == self.config.batch_size

    def end_epoch(self) -> Epoch:
        """Evaluate after a pass and return its figures; the next pass starts anew."""
        progress, images = self.progress, len(self.data.train)
        start = time.perf_counter()
        validation = self.outputs(self.data.validation) if len(self.data.validation) else None
        test = self.outputs(self.data.test)
        synchronise(self.device)
        epoch = Epoch(
            epoch=len(progress.epochs) + 1,
            learning_rate=self.learning_rate,
            running_train_loss=finite(progress.total_loss / images),
            running_train_accuracy=(progress.correct / images).item(),
            validation_loss=finite(validation.loss) if validation else None,
            validation_accuracy=accuracy(validation).item() if validation else None,
            test_loss=finite(test.loss),
            test_accuracy=accuracy(test).item(),
            train_seconds=progress.epoch_seconds,
            evaluation_seconds=time.perf_counter() - start,
        )
        progress.read_first(self.config.batch_size, images)
        progress.order, progress.position, progress.epoch_seconds = None, 0, 0.0
        return epoch

    def save_if_due(self) -> None:
        """Save a checkpoint when its time has come; raise Interrupted when a signal asked to stop."""
        if self.checkpoint and self.checkpoint.due:
            self.checkpoint.save(self.state())
            if self.checkpoint.stop_asked and len(self.progress.epochs) < self.config.epochs:
                raise Interrupted

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
        if score is not None and score > self.progress.best:
            self.progress.best, self.progress.kept_epoch = score, epoch.epoch
            weights = self.model.state_dict()
            self.progress.kept_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def final(self) -> tuple[Outputs, Final]:
        """Load the kept weights, run them over the test set and the validation images, and evaluate."""
        self.model.load_state_dict(self.progress.kept_weights)
        classes = len(self.data.manifest.classes)
        test = self.outputs(self.data.test)
        validation = self.outputs(self.data.validation) if len(self.data.validation) else None
        return test, Final(
            epoch=self.progress.kept_epoch,
            chosen_by=self.config.report_epoch,
            validation=evaluate(validation, classes) if validation else None,
            test=evaluate(test, classes),
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
