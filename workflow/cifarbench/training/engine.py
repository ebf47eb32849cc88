"""The training loop: a model, its optimizers and its random streams, step by step, saved and restored.

Everything random draws from a stream of its own (weights, order, dropout, each augmentation), seeded by
the run's seed and the stream's name. So changing one knob does not shuffle the others, and one seed means
the same order of images for every model.
"""

import copy
import logging
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, ImageSet
from cifarbench.errors import UserError
from cifarbench.records.record import Epoch, Final
from cifarbench.training.augment import Augment
from cifarbench.training.average import Average, tensors
from cifarbench.training.checkpoint import Checkpoint, State
from cifarbench.training.cuda_graph import RecordedStep, record_step, to_be_recorded
from cifarbench.training.device import (
    first_line,
    is_out_of_memory,
    random_state,
    running_sum,
    set_random_state,
    synchronise,
)
from cifarbench.training.evaluate import Outputs, accuracy, evaluate, finite, forward_all
from cifarbench.training.listeners import Listener, Listeners
from cifarbench.training.losses import make_loss
from cifarbench.training.optimizers import make_optimizers
from cifarbench.training.progress import Progress, log_epoch
from cifarbench.training.random_streams import generator, seed_of, stream_seed
from cifarbench.training.schedules import Schedule, images_per_epoch
from cifarbench.training.stopping import Interrupted

log = logging.getLogger(__name__)


class Engine:
    """A model in training: its optimizers, its random streams, and how far it is."""

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        model: nn.Module,
        device: torch.device,
        checkpoint: Checkpoint | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        layout = torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format
        self.config, self.data, self.device = config, data.in_layout(layout), device
        self.model = model.to(memory_format=layout)
        self.forward: Callable[[Tensor], Tensor] = (
            torch.compile(self.model, dynamic=False) if config.compile else self.model
        )
        self.checkpoint, self.listeners = checkpoint, Listeners(listeners)
        self.loss = make_loss(config, model)
        self.optimizers = make_optimizers(config, model)
        self.images_per_epoch = images_per_epoch(config, len(data.train))
        self.schedule = Schedule(config, len(data.train))
        self.learning_rate = config.learning_rate  # of the step before
        classes, images = len(data.manifest.classes), len(data.train)
        self.augment = Augment(config, self.data.scale, classes, images, device)
        self.average = Average(model, config.ema_decay) if config.ema_decay else None
        self.order_stream = generator(seed_of(config, "order"), "order", torch.device("cpu"))
        self.progress = Progress(running_sum(device), torch.zeros((), device=device, dtype=torch.int64))
        self.recorded: RecordedStep | None = None
        torch.manual_seed(stream_seed(config.seed, "dropout"))
        state = checkpoint.load(device) if checkpoint else None
        if state:
            self.load(state)
            self.progress.resumptions += 1
            epochs, position = len(self.progress.epochs), self.progress.position
            log.info("going on after epoch %d and %d images", epochs, position)

    @property
    def tested(self) -> nn.Module:
        """The model that is tested and kept: the one in training, or the average of its weights."""
        return self.average.model if self.average else self.model

    @property
    def streams(self) -> dict[str, torch.Generator]:
        return {**self.augment.streams, "order": self.order_stream}

    def autocast(self) -> torch.autocast:
        low = self.config.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=low)

    def warm_up(self) -> None:
        """Take a step without effect, which keeps first-time work out of the times; on a GPU record it."""
        before = copy.deepcopy(self.state())
        positions = torch.arange(min(self.config.batch_size, len(self.data.train)), device=self.device)
        self.model.train()
        self.optimizers.prepare(self.progress.steps, self.schedule(self.progress.steps))
        recorded = None
        if self.is_whole(positions) and to_be_recorded(self.config, self.device):
            recorded = record_step(
                self.config, self.compute, positions, self.optimizers, self.augment.streams
            )
        if recorded is None:
            self.load(before)
            self.launch_first(positions, before)
        self.load(before)
        self.recorded = recorded
        synchronise(self.device)

    def launch_first(self, positions: Tensor, before: State) -> None:
        """Take a step; where the optimizer's fast way fails on this hardware, take it again without."""
        try:
            self.compute(positions)
        except RuntimeError as error:
            if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
                raise UserError(
                    "compile: True is not allowed: this model cannot be compiled here "
                    f"({first_line(error)}); set compile to false"
                ) from error
            if is_out_of_memory(error) or self.optimizers.way == "default":
                raise
            self.load(before)
            self.optimizers.without_tricks()
            self.compute(positions)
            log.warning("the optimizer's fast way fails here (%s); going on without it", first_line(error))

    def state(self) -> State:
        """Return everything that the rest of the training depends on, all that a step changes among it."""
        return {
            "model": self.model.state_dict(),
            "buffers": dict(self.model.named_buffers()),  # of which a state_dict may leave some out
            "average": dict(enumerate(tensors(self.average.model))) if self.average else {},
            "optimizers": self.optimizers.state(),
            "streams": {name: stream.get_state() for name, stream in self.streams.items()},
            "dropout": random_state(self.device),
            "progress": self.progress.state(),
        }

    def load(self, state: State) -> None:
        """Become what `state` says; everything but the optimizers' state keeps its place in memory."""
        self.model.load_state_dict(state["model"])
        for name, buffer in self.model.named_buffers():
            buffer.copy_(state["buffers"][name])
        for number, tensor in enumerate(tensors(self.average.model) if self.average else ()):
            tensor.copy_(state["average"][number])
        self.optimizers.load(state["optimizers"])
        for name, stream in self.streams.items():
            stream.set_state(state["streams"][name].cpu())
        set_random_state(state["dropout"])
        self.progress.load(state["progress"])

    def fit(self) -> None:
        """Train all epochs, or until the running loss is no longer finite."""
        epochs = self.progress.epochs
        while len(epochs) < self.config.epochs and not self.has_stopped_improving():
            self.train_rest_of_epoch()
            epochs.append(self.end_epoch())
            self.keep_if_chosen(epochs[-1])
            log_epoch(epochs[-1])
            self.listeners.tell("epoch_ended", epochs[-1], self.images_per_epoch)
            if epochs[-1].running_train_loss is None:
                log.warning("diverged: the loss of epoch %d is not finite; training ends here", len(epochs))
                break
            self.save_if_due()

    def has_stopped_improving(self) -> bool:
        """Tell whether the last `early_stop` epochs were no better in validation than one before them."""
        accuracies = [epoch.validation_accuracy or 0 for epoch in self.progress.epochs]
        if not self.config.early_stop or not accuracies:
            return False
        best = accuracies.index(max(accuracies))
        return len(accuracies) - 1 - best >= self.config.early_stop

    def train_rest_of_epoch(self) -> None:
        """Pass over the training images once, or over those that a stopped pass has left."""
        progress, count = self.progress, len(self.data.train)
        if progress.order is None:
            order = torch.randperm(count, generator=self.order_stream)[: self.images_per_epoch]
            progress.order = order.to(self.device)
            progress.total_loss.zero_()
            progress.correct.zero_()
        self.augment.begin_epoch(len(progress.epochs))
        self.model.train()
        start = time.perf_counter() - progress.epoch_seconds
        for positions in progress.order[progress.position :].split(self.config.batch_size):
            self.step(positions)
            progress.note_first()
            progress.position += len(positions)
            if self.checkpoint and self.checkpoint.due and progress.position < self.images_per_epoch:
                synchronise(self.device)
                progress.epoch_seconds = time.perf_counter() - start
                self.save_if_due()
        synchronise(self.device)
        progress.epoch_seconds = time.perf_counter() - start

    def step(self, positions: Tensor) -> None:
        """Take one step, at the schedule's rate, on the training images at positions (N,)."""
        self.learning_rate = self.schedule(self.progress.steps)
        self.optimizers.prepare(self.progress.steps, self.learning_rate)
        if self.recorded and self.is_whole(positions) and self.recorded.ready():
            self.recorded(positions)
        else:
            self.compute(positions)
        self.progress.steps += 1

    def compute(self, positions: Tensor) -> None:
        """Do all of a step that the device does. Nothing here may wait for a value or depend on one."""
        images, classes = self.data.train.batch(positions)
        # The compiled one is made for this size alone.
        forward = self.forward if self.is_whole(positions) else self.model
        with self.autocast():
            images, targets = self.augment(images, classes, positions)
            logits = forward(images)
        loss = self.loss(logits, targets)
        self.optimizers.zero_grad()
        loss.backward()
        if self.config.gradient_clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_clip)
        self.optimizers.step()
        if self.average:
            self.average.update(self.model)
        self.progress.total_loss += loss.detach() * len(classes)
        self.progress.correct += (logits.detach().argmax(1) == classes).sum()

    def is_whole(self, positions: Tensor) -> bool:
        """Tell whether this is a batch of the full size; the last of an epoch may be smaller."""
        return len(positions) == self.config.batch_size

    def end_epoch(self) -> Epoch:
        """Evaluate after a pass and return its figures; the next pass starts anew."""
        progress, images = self.progress, self.images_per_epoch
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
                raise Interrupted("stopped and saved; the same command goes on from there")

    def outputs(self, part: ImageSet, views: str = "none") -> Outputs:
        return forward_all(self.tested, part, self.data, self.loss, self.autocast, views)

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
            weights = self.tested.state_dict()
            self.progress.kept_weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def final(self) -> tuple[Outputs, Final]:
        """Load the kept weights, run them over the test set and the validation images, and evaluate."""
        self.tested.load_state_dict(self.progress.kept_weights)
        classes = len(self.data.manifest.classes)
        test = self.outputs(self.data.test)
        validation = self.outputs(self.data.validation) if len(self.data.validation) else None
        return test, Final(
            augmented_top1=self.augmented_accuracy(),
            epoch=self.progress.kept_epoch,
            chosen_by=self.config.report_epoch,
            validation=evaluate(validation, classes) if validation else None,
            test=evaluate(test, classes),
        )

    def augmented_accuracy(self) -> float | None:
        views = self.config.test_time_augmentation
        if views == "none":
            return None
        found = accuracy(self.outputs(self.data.test, views)).item()
        log.info("test accuracy %.4f with test-time augmentation (%s)", found, views)
        return found
