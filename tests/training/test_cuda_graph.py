"""Steps recorded as a CUDA graph, without a GPU: a tape of operations stands in for the graph, and tensors
without contents for those of a GPU. What a graph does on a real GPU, no test here can show.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cifarbench.config.choices import LOSSES, OPTIMIZERS
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, ImageSet, Scaling, load
from cifarbench.data.manifest import read_manifest
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.training import augment
from cifarbench.training import engine as engine_module
from cifarbench.training.cuda_graph import to_be_recorded
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import stream_seed
from cifarbench.training.saving import in_force
from helpers.repository import SMALL
from helpers.training import flat

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


class Tape(TorchDispatchMode):
    """Like a graph: notes each operation with the very tensors it met, and does the same to them again.

    Numbers of Python's are what they were when they were noted, and reading a value is not allowed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[tuple[Callable[..., Any], Any, Any, Any]] = []
        self.replays = 0
        self.generators: list[torch.Generator] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    def __torch_dispatch__(
        self, operation: Any, _types: object, arguments: Any = (), named: Any = None
    ) -> object:
        if operation is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        result = operation(*arguments, **(named or {}))
        self.notes.append((operation, arguments, named or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        self.replays += 1
        for operation, arguments, named, noted in self.notes:
            returned = operation._schema.returns
            if operation.is_view:
                continue  # of a tensor that is where it was
            result = operation(*arguments, **named)
            if returned and all(kind.alias_info is None for kind in returned):
                for old, new in zip(tree_leaves(noted), tree_leaves(result), strict=True):
                    if isinstance(old, Tensor):
                        old.copy_(new)


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> list[Tape]:
    """Let steps on a CPU be recorded, on tapes that end up in this list."""
    made: list[Tape] = []

    def new_tape() -> Tape:
        made.append(Tape())
        return made[-1]

    @contextmanager
    def recording(tape: Tape, stream: object) -> Iterator[None]:
        with tape:
            yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", new_tape)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: None)
    monkeypatch.setattr(
        engine_module, "to_be_recorded", lambda config, _device: config.cuda_graph is not False
    )
    return made


def engine_for(few: Path, **knobs: object) -> Engine:
    config = TrainConfig(
        **{**SMALL, "validation_images": 20, "batch_size": 16, "epochs": 2, "learning_rate": 2**-7, **knobs}
    )
    torch.manual_seed(stream_seed(config.seed, "weights"))
    return Engine(config, load(few, config, CPU), build_model(config, 10), CPU)


def fitted(few: Path, **knobs: object) -> Engine:
    engine = engine_for(few, **knobs)
    engine.warm_up()
    engine.fit()
    return engine


RECIPES: dict[str, dict[str, object]] = {
    "sgd, warm-up and cosine": {
        "optimizer": "sgd",
        "momentum": 0.9,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
    },
    "adam, all augmentation, dropout": {
        "model": "baseline",
        "flip": True,
        "crop_padding": 4,
        "cutout": 8,
        "dropout": 0.5,
    },
    "adamw, multistep, a smaller last batch": {
        "optimizer": "adamw",
        "schedule": "multistep",
        "milestones": [1],
        "batch_size": 30,
    },
    "mixup, average, clipped": {
        "mixup": 1,
        "ema_decay": 0.9,
        "gradient_clip": 1,
        "decay_on": "matrices",
        "weight_decay": 0.1,
    },
    "cutmix, random erasing": {"cutmix": 1, "random_erasing": 0.5},
    "muon, alternating flips": {
        "optimizer": "muon",
        "momentum": 0.9,
        "bias_rate": 0.5,
        "flip": "alternating",
        "trivial_augment": True,
        "color_jitter": 0.4,
    },
    "bfloat16, channels last": {"precision": "bfloat16", "memory_format": "channels_last"},
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_recorded_steps_train_as_steps_do(few: Path, tapes: list[Tape], recipe: str) -> None:
    plain, recorded = (fitted(few, cuda_graph=graph, **RECIPES[recipe]) for graph in (False, True))
    (tape,) = tapes
    assert tape.generators == list(recorded.augment.streams.values())
    # The first step is launched where the optimizer keeps something, which then begins.
    assert tape.replays == 2 * (80 // recorded.config.batch_size) - 1
    # The learning rate of a recorded step has 24 bits; between those of a schedule that decides.
    exact = recorded.config.schedule == "none"
    for name, weights in plain.model.state_dict().items():
        ours = recorded.model.state_dict()[name]
        assert torch.equal(ours, weights) if exact else torch.allclose(ours, weights, rtol=1e-4, atol=1e-6)
    for theirs, ours in zip(plain.progress.epochs, recorded.progress.epochs, strict=True):
        assert ours.running_train_loss == pytest.approx(theirs.running_train_loss, rel=1e-5)
        assert ours.running_train_accuracy == theirs.running_train_accuracy
        assert ours.learning_rate == theirs.learning_rate


class ReadsBack(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (2 if x.sum().item() > 0 else 1)


def reading_back(digits: Path, **knobs: object) -> Engine:
    config = TrainConfig(**SMALL, **knobs)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10), ReadsBack())
    return Engine(config, load(digits, config, CPU), model, CPU)


def test_a_model_that_reads_values_back_is_named(digits: Path, tapes: list[Tape]) -> None:
    engine = reading_back(digits, cuda_graph=True)
    with pytest.raises(UserError) as error:
        engine.warm_up()
    assert str(error.value) == (
        "cuda_graph: True is not allowed: a step of this model cannot be recorded "
        "(operation not permitted when stream is capturing); set cuda_graph to auto"
    )
    assert engine.optimizers.groups[0]["lr"] == engine.config.learning_rate


def test_a_model_that_cannot_be_recorded_is_launched_and_trains_the_same(
    digits: Path, tapes: list[Tape], caplog: pytest.LogCaptureFixture
) -> None:
    fallen, launched = (reading_back(digits, cuda_graph=graph) for graph in ("auto", False))
    fallen.model.load_state_dict(launched.model.state_dict())
    for engine in (fallen, launched):
        engine.warm_up()
        engine.fit()
    assert caplog.text.count("a step cannot be recorded (operation not permitted when stream is") == 1
    assert in_force(fallen)["cuda_graph"] == "false"
    assert flat(fallen.model).equal(flat(launched.model))


def test_what_is_recorded_is_said_to_be(few: Path, tapes: list[Tape]) -> None:
    engine = engine_for(few)
    engine.warm_up()
    assert in_force(engine)["cuda_graph"] == "true"


def test_only_a_gpu_records_and_not_adagrad() -> None:
    assert to_be_recorded(TrainConfig(), GPU)
    assert not to_be_recorded(TrainConfig(), CPU)
    assert not to_be_recorded(TrainConfig(cuda_graph=False), GPU)
    assert not to_be_recorded(TrainConfig(optimizer="adagrad"), GPU)


def steps_on_a_gpu(digits: Path, monkeypatch: pytest.MonkeyPatch, **knobs: object) -> None:
    """Take two steps with tensors that say they lie on a GPU and hold nothing, so that none can be read.

    The way back is left out, which no such tensor can go; the optimizer gets gradients of the right shape.
    """

    def backward(_loss: Tensor) -> None:
        for parameter in engine.model.parameters():
            parameter.grad = torch.empty_like(parameter)

    def fused(*arguments: object, **named: object) -> None:
        """The one operation of fused optimizers, which PyTorch has not described for such tensors."""
        tensors = [leaf for leaf in tree_leaves((arguments, named)) if isinstance(leaf, Tensor)]
        assert {tensor.device for tensor in tensors} == {GPU}

    for operation in ("_fused_sgd_", "_fused_adam_", "_fused_adamw_"):
        monkeypatch.setattr(torch, operation, fused)
    monkeypatch.setattr(Tensor, "backward", backward)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(nn.Module, "to", lambda self, **_: self)
    monkeypatch.setattr(augment, "generator", lambda *_: torch.Generator())
    config = TrainConfig(**{"batch_size": 8, "flip": True, "crop_padding": 4, "cutout": 8, **knobs})
    with FakeTensorMode():
        with GPU:
            images = torch.empty(20, 3, 32, 32, dtype=torch.uint8)
            part = ImageSet(images, torch.empty(20, dtype=torch.int64), torch.arange(20))
            scaling = Scaling(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
            model = build_model(config, 10)
        engine = Engine(config, Data(read_manifest(digits), "", part, part, part, scaling), model, GPU)
        for _ in range(2):
            if to_be_recorded(config, GPU):  # as RecordedStep does
                engine.optimizers.groups[0]["lr"] = torch.tensor(config.learning_rate, device=GPU)
            engine.compute(torch.arange(8, device=GPU))


@pytest.mark.parametrize("name", BUILTIN_MODELS)
def test_a_step_of_each_model_stays_on_the_gpu(
    digits: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    steps_on_a_gpu(digits, monkeypatch, model=name, precision="bfloat16")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_of_each_optimizer_stays_on_the_gpu(
    digits: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    momentum = {"momentum": 0.9} if "momentum" in OPTIMIZERS[name].reads else {}
    steps_on_a_gpu(digits, monkeypatch, optimizer=name, **momentum, weight_decay=0.1)


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_of_each_loss_stays_on_the_gpu(
    digits: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    steps_on_a_gpu(digits, monkeypatch, loss=name, last_layer_l2=0.1)


@pytest.mark.parametrize(
    "knobs",
    [{"mixup": 1}, {"cutmix": 1}, {"gradient_clip": 1}, {"rand_augment": 9, "color_jitter": 0.4}],
    ids=str,
)
def test_a_step_of_each_part_of_a_recipe_stays_on_the_gpu(
    digits: Path, monkeypatch: pytest.MonkeyPatch, knobs: dict[str, object]
) -> None:
    steps_on_a_gpu(digits, monkeypatch, **knobs)
