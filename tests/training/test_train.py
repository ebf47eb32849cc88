"""Training through the CLI on real digits: it learns, repeats to the bit, and its record is checked."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data, Scaling, load, split_rows
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import Epoch, Record, read_record, write_record
from cifarbench.training.device import prepare_torch
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import draw_weights_of, stream_seed
from helpers.repository import REPOSITORY, SMALL, needs
from helpers.training import flat, train, without_times

COMPILED = ["--validation-images", "200", "--compile", "true"]
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def learnt(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Record]:
    output = tmp_path_factory.mktemp("learnt")
    return output, train(digits, output, "--epochs", "6", "--learning-rate", "0.003", "--model", "baseline")


def test_it_learns(learnt: tuple[Path, Record]) -> None:
    _, record = learnt
    assert record.status == "completed"
    assert record.final.test.top1 > 0.9
    losses = [epoch.running_train_loss for epoch in record.epochs]
    assert losses == sorted(losses, reverse=True)


def test_the_record_is_complete_and_consistent(learnt: tuple[Path, Record]) -> None:
    folder, record = learnt
    final, last = record.final, record.epochs[-1]
    assert (final.epoch, final.chosen_by) == (6, "last")
    assert final.test.top1 == pytest.approx(last.test_accuracy)
    assert final.validation is not None
    assert final.validation.top1 == pytest.approx(last.validation_accuracy)
    assert (record.data.train_images, record.data.validation_images, record.data.test_images) == (
        1237,
        200,
        360,
    )
    assert sum(map(sum, final.test.confusion)) == final.test.images == 360
    assert record.model.parameters == 198_506
    assert record.seconds.train == pytest.approx(sum(e.train_seconds for e in record.epochs))
    parts = record.seconds
    assert sum(parts.model_dump(exclude={"total"}).values()) == pytest.approx(parts.total)
    assert record.images_per_second == pytest.approx(6 * 1237 / parts.train)
    assert record.environment.threads == 1
    assert record.in_force["optimizer_eps"] == 1e-8
    assert json.loads((folder / RECORD).read_text())["schema_version"] == 2


def test_predictions_are_those_that_the_record_counts(learnt: tuple[Path, Record], digits: Path) -> None:
    folder, record = learnt
    saved = load_file(folder / PREDICTIONS)
    assert (saved["predicted"] == saved["label"]).mean() == pytest.approx(record.final.test.top1)
    assert ((saved["probability"] > 0.1) & (saved["probability"] <= 1)).all()
    assert (saved["label"] == load_file(digits / "images.safetensors")["test_labels"]).all()


def test_the_saved_weights_give_the_saved_predictions(learnt: tuple[Path, Record], digits: Path) -> None:
    folder, record = learnt
    data = load(digits, record.config, CPU)
    model = build_model(record.config, 10)
    model.load_state_dict({k: torch.from_numpy(v) for k, v in load_file(folder / WEIGHTS).items()})
    engine = Engine(record.config, data, model, CPU)
    predicted = engine.outputs(data.test).logits.argmax(1)
    assert (predicted.numpy() == load_file(folder / PREDICTIONS)["predicted"]).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_the_same_run_gives_the_same_bits(digits: Path, tmp_path: Path, precision: str, layout: str) -> None:
    flags = [
        "--precision",
        precision,
        "--memory-format",
        layout,
        "--flip",
        "true",
        "--crop-padding",
        "4",
        "--cutout",
        "8",
    ]
    flags += ["--model", "baseline", "--epochs", "2"]
    first, second = (train(digits, tmp_path / name, *flags) for name in "ab")
    assert without_times(first) == without_times(second)
    for name in (WEIGHTS, PREDICTIONS):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_another_seed_is_another_run(digits: Path, tmp_path: Path) -> None:
    first, second = (train(digits, tmp_path / seed, "--seed", seed) for seed in "01")
    assert first.configuration == second.configuration
    assert first.run != second.run
    assert first.final.test.loss != second.final.test.loss


def order_and_weights(digits: Path, **knobs: object) -> tuple[torch.Tensor, torch.Tensor]:
    config = TrainConfig(**{**SMALL, **knobs})
    data = load(digits, config, CPU)
    draw_weights_of(config)
    model = build_model(config, 10)
    engine = Engine(config, data, model, CPU)
    engine.warm_up()
    first_weights = next(model.parameters()).detach().clone()
    return torch.randperm(len(data.train), generator=engine.order_stream), first_weights


def test_one_seed_means_one_order_for_every_model_and_knob(digits: Path) -> None:
    order, weights = order_and_weights(digits)
    other_order, other_weights = order_and_weights(
        digits, flip=True, crop_padding=2, optimizer="sgd", momentum=0.9
    )
    assert torch.equal(order, other_order)
    assert torch.equal(weights, other_weights)
    assert torch.equal(order, order_and_weights(digits, model="baseline")[0])
    assert not torch.equal(order, order_and_weights(digits, seed=1)[0])


def test_weights_and_order_may_have_seeds_of_their_own(digits: Path) -> None:
    order, weights = order_and_weights(digits)
    other_order, other_weights = order_and_weights(digits, seed=1)
    for knobs, expected in (
        ({"weights_seed": 1}, (order, other_weights)),
        ({"order_seed": 1}, (other_order, weights)),
        ({"seed": 1, "weights_seed": 0, "order_seed": 0}, (order, weights)),
    ):
        found = order_and_weights(digits, **knobs)
        assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


# Each optimizer with Keras' values and PyTorch's, each loss and each schedule, as PyTorch writes them.
RECIPES: dict[str, tuple[dict[str, object], Callable[..., torch.optim.Optimizer]]] = {
    "sgd": ({}, torch.optim.SGD),
    "sgd, nesterov, decay": (
        {"optimizer": "sgd", "momentum": 0.9, "nesterov": True, "weight_decay": 1.0},
        partial(torch.optim.SGD, momentum=0.9, nesterov=True, weight_decay=1.0),
    ),
    "rmsprop": (
        {"optimizer": "rmsprop", "learning_rate": 0.001, "conventions": "keras", "momentum": 0.5},
        partial(torch.optim.RMSprop, alpha=0.9, eps=1e-7, momentum=0.5),
    ),
    "adagrad": (
        {"optimizer": "adagrad", "learning_rate": 0.001, "conventions": "keras"},
        partial(torch.optim.Adagrad, initial_accumulator_value=0.1, eps=1e-7),
    ),
    "adadelta": (
        {"optimizer": "adadelta", "learning_rate": 1.0},
        partial(torch.optim.Adadelta, rho=0.9, eps=1e-6),
    ),
    "adam": ({"optimizer": "adam", "learning_rate": 0.001}, partial(torch.optim.Adam, eps=1e-8)),
    "adamw": (  # with an eps that keeps the sign of a gradient near zero, which is rounding, from deciding
        {"optimizer": "adamw", "learning_rate": 0.001, "weight_decay": 1.0, "optimizer_eps": 1e-3},
        partial(torch.optim.AdamW, eps=1e-3, weight_decay=1.0),
    ),
}
FORMULAS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cross_entropy": F.cross_entropy,
    "mean_squared_error": lambda z, y: F.mse_loss(z.softmax(1), F.one_hot(y, 10).to(z)),
    "binary_cross_entropy": lambda z, y: F.binary_cross_entropy(z.softmax(1), F.one_hot(y, 10).to(z)),
    "mean_squared_error_index": lambda z, y: F.mse_loss(z.softmax(1), y[:, None].to(z).expand(-1, 10)),
    "binary_cross_entropy_index": lambda z, y: (
        -(y[:, None] * z.softmax(1).log() + (1 - y[:, None]) * (1 - z.softmax(1)).log()).mean()
    ),
}
RATES: dict[str, tuple[dict[str, object], Callable[[int], float]]] = {  # of step 0 to 9, in epochs of 5 steps
    "multistep": ({"milestones": [1]}, lambda step: 0.1 if step >= 5 else 1.0),
    "cosine": ({}, lambda step: (1 + math.cos(math.pi * step / 10)) / 2),
    "cosine after a warm-up": (
        {"schedule": "cosine", "warmup_epochs": 0.4},
        lambda step: (step + 1) / 3 if step < 2 else (1 + math.cos(math.pi * (step - 2) / 8)) / 2,
    ),
}


def ten_steps(
    digits: Path,
    knobs: dict[str, object],
    make_optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.SGD,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = F.cross_entropy,
    rate: Callable[[int], float] = lambda _: 1.0,
    dtype: torch.dtype = torch.float32,
    tolerance: float = 1e-3,
) -> None:
    """Compare two epochs of five steps by the engine with PyTorch written out, in the engine's own order."""
    config = TrainConfig(
        **{**SMALL, "optimizer": "sgd", "learning_rate": 0.1, "batch_size": 250, "epochs": 2, **knobs}
    )
    data = load(digits, config, CPU)
    data = replace(data, scale=Scaling(data.scale.mean.to(dtype), data.scale.std.to(dtype)))
    torch.manual_seed(stream_seed(0, "weights"))
    model, plain = (build_model(config, 10).to(dtype) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    before = flat(plain)
    engine = Engine(config, data, model, CPU)
    engine.fit()

    order = torch.Generator().manual_seed(stream_seed(0, "order"))
    optimizer = make_optimizer(plain.parameters(), lr=config.learning_rate)
    images, labels = data.train.batch(slice(None))
    images = (images - data.scale.mean) / data.scale.std
    step, losses = 0, []
    for _ in range(2):
        for batch in torch.randperm(len(labels), generator=order).split(250):
            optimizer.param_groups[0]["lr"] = config.learning_rate * rate(step)
            optimizer.zero_grad()
            losses.append(loss(plain(images[batch]), labels[batch]))
            losses[-1].backward()
            optimizer.step()
            step += 1
    assert step == 10
    ours, theirs = flat(model), flat(plain)
    assert (ours - theirs).norm() < tolerance * (theirs - before).norm()
    assert engine.progress.first_losses == pytest.approx([x.item() for x in losses[:5]], rel=tolerance)


@pytest.mark.parametrize("name", RECIPES)
def test_ten_steps_of_each_optimizer_equal_a_plain_loop(digits: Path, name: str) -> None:
    knobs, make_optimizer = RECIPES[name]
    ten_steps(digits, knobs, make_optimizer)


@pytest.mark.parametrize("name", FORMULAS)
def test_ten_steps_of_each_loss_equal_a_plain_loop(digits: Path, name: str) -> None:
    ten_steps(digits, {"loss": name}, loss=FORMULAS[name])


@pytest.mark.parametrize("name", FORMULAS)
def test_ten_steps_of_each_loss_in_float64_keep_its_precision(digits: Path, name: str) -> None:
    ten_steps(digits, {"loss": name}, loss=FORMULAS[name], dtype=torch.float64, tolerance=1e-11)


@pytest.mark.parametrize("name", RATES)
def test_ten_steps_of_each_schedule_equal_a_plain_loop(digits: Path, name: str) -> None:
    knobs, rate = RATES[name]
    ten_steps(digits, {"schedule": name, **knobs}, rate=rate)


@pytest.mark.parametrize("knobs", [{"memory_format": "channels_last"}, {"compile": True}], ids=str)
def test_ten_steps_of_each_way_to_compute_equal_a_plain_loop(digits: Path, knobs: dict[str, object]) -> None:
    needs("g++")
    ten_steps(digits, knobs)


def ten_steps_by(config: TrainConfig, data: Data, each: Callable[[torch.nn.Module], None]) -> torch.nn.Module:
    """Train a LeNet-5 with plain SGD written out; `each` sees it before and after each step's update."""
    torch.manual_seed(stream_seed(0, "weights"))
    plain = build_model(config, 10)
    order = torch.Generator().manual_seed(stream_seed(0, "order"))
    optimizer = torch.optim.SGD(plain.parameters(), lr=config.learning_rate)
    images, labels = data.train.batch(slice(None))
    images = (images - data.scale.mean) / data.scale.std
    for batch in torch.randperm(len(labels), generator=order).split(config.batch_size):
        optimizer.zero_grad()
        F.cross_entropy(plain(images[batch]), labels[batch]).backward()
        each(plain)
        optimizer.step()
        each(plain)
    return plain


def test_a_clipped_gradient_and_an_average_equal_a_plain_loop(digits: Path) -> None:
    small = {**SMALL, "optimizer": "sgd", "learning_rate": 0.5, "batch_size": 250}
    config = TrainConfig(**small, gradient_clip=0.15, ema_decay=0.8)
    data = load(digits, config, CPU)
    torch.manual_seed(stream_seed(0, "weights"))
    engine = Engine(config, data, build_model(config, 10), CPU)
    theirs, norms, calls = [weight.detach().clone() for weight in engine.model.parameters()], [], 0

    def clip_and_average(plain: torch.nn.Module) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            norms.append(torch.stack([weight.grad.norm() for weight in plain.parameters()]).norm())
            for weight in plain.parameters():
                weight.grad *= min(1, 0.15 / norms[-1])
        else:
            for average, weight in zip(theirs, plain.parameters(), strict=True):
                average.copy_(0.8 * average + 0.2 * weight.detach())

    engine.warm_up()
    engine.fit()
    plain = ten_steps_by(config, data, clip_and_average)
    assert min(norms) < 0.15 < max(norms)  # some are clipped
    assert torch.allclose(flat(engine.model), flat(plain), atol=1e-4)
    averaged = torch.cat([average.flatten() for average in theirs])
    assert torch.allclose(flat(engine.tested), averaged, atol=1e-4)
    assert not torch.allclose(flat(engine.tested), flat(plain), atol=1e-4)
    kept = torch.cat([weight.flatten() for weight in engine.progress.kept_weights.values()])
    assert kept.equal(flat(engine.tested))  # what is saved is what was tested


def test_the_validation_split_is_stratified_disjoint_and_by_its_own_seed(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    train_rows, held_out = set(data.train.rows.tolist()), set(data.validation.rows.tolist())
    assert len(held_out) == 200
    assert train_rows | held_out == set(range(1437))
    assert not train_rows & held_out
    counts = torch.bincount(data.validation.labels[data.validation.rows])
    assert counts.min() >= 19
    assert counts.max() <= 21
    other = split_rows(data.train.labels, TrainConfig(**SMALL, data_seed=1))[1]
    assert set(other.tolist()) != held_out
    same = split_rows(data.train.labels, TrainConfig(**SMALL, seed=5))[1]
    assert set(same.tolist()) == held_out


def test_images_are_mapped_not_copied(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    address = data.train.images.data_ptr()
    maps = Path("/proc/self/maps").read_text().splitlines()
    ranges = [(line.split()[0].split("-"), line) for line in maps if "images.safetensors" in line]
    assert any(int(low, 16) <= address < int(high, 16) for (low, high), _ in ranges)
    assert data.validation.images.data_ptr() == address


@pytest.mark.parametrize(("name", "changes"), [("gaussian", True), ("median", True), ("none", False)])
def test_denoising_filters_train_and_test(digits: Path, name: str, changes: bool) -> None:
    plain, filtered = (load(digits, TrainConfig(**SMALL, denoise=d), CPU) for d in ("none", name))
    for part in ("train", "test"):
        before, after = getattr(plain, part).images, getattr(filtered, part).images
        assert before.shape == after.shape
        assert after.dtype == torch.uint8
        assert torch.equal(before, after) is not changes
        assert after.float().std() <= before.float().std()


def test_the_median_of_an_image_by_hand(digits: Path) -> None:
    plain, median = (load(digits, TrainConfig(**SMALL, denoise=d), CPU) for d in ("none", "median"))
    window = plain.train.images[3, 1, 9:12, 14:17]
    assert median.train.images[3, 1, 10, 15] == window.reshape(-1).median()


@pytest.mark.parametrize(("name", "low", "high"), [("unit", 0, 1), ("symmetric", -1, 1)])
def test_scaling_maps_pixels_to_its_range(digits: Path, name: str, low: float, high: float) -> None:
    data = load(digits, TrainConfig(**SMALL, scaling=name), CPU)
    scaled = data.scale(data.train.images)
    assert (scaled.min().item(), scaled.max().item()) == pytest.approx((low, high))


def test_per_channel_scaling_has_mean_0_and_deviation_1(digits: Path) -> None:
    data = load(digits, TrainConfig(**SMALL), CPU)
    scaled = data.scale(data.train.images)
    assert scaled.mean((0, 2, 3)) == pytest.approx([0, 0, 0], abs=1e-3)
    assert scaled.std((0, 2, 3)) == pytest.approx([1, 1, 1], abs=1e-3)


def test_a_training_imports_only_what_it_needs(digits: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from cifarbench.cli.parser import main; assert main(sys.argv[1:]) == 0;"
        "print(*(name for name in sys.modules))"
    )
    call = ["train", "--data", str(digits), "--output", str(tmp_path), "--validation-images", "200"]
    flags = ["--epochs", "1", "--schedule", "cosine"]
    result = subprocess.run(
        [sys.executable, "-c", program, *call, *flags], capture_output=True, text=True, check=True
    )
    slow = {"torch._dynamo", "torchvision", "pandas", "matplotlib", "sklearn", "scipy", "snakemake", "pooch"}
    assert slow & set(result.stdout.split()) == set()


def test_the_best_epoch_is_kept_where_asked_for(digits: Path, tmp_path: Path) -> None:
    flags = ["--epochs", "5", "--learning-rate", "0.03", "--report-epoch"]
    for choice, field in (("best_validation", "validation_accuracy"), ("best_test", "test_accuracy")):
        record = train(digits, tmp_path / choice, *flags, choice)
        curve = [getattr(epoch, field) for epoch in record.epochs]
        assert record.final.epoch == 1 + curve.index(max(curve))
        assert record.final.chosen_by == choice
        assert record.final.test.top1 == pytest.approx(record.epochs[record.final.epoch - 1].test_accuracy)


def test_a_second_test_on_several_views_stands_beside_the_plain_one(digits: Path, tmp_path: Path) -> None:
    plain = train(digits, tmp_path / "plain")
    assert plain.final.augmented_top1 is None
    for views in ("mirror", "mirror_and_shift"):
        both = train(digits, tmp_path / views, "--test-time-augmentation", views)
        assert both.final.test == plain.final.test
        assert both.final.augmented_top1 is not None
        assert both.final.augmented_top1 != plain.final.test.top1


def test_it_ends_when_validation_no_longer_improves(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accuracies = iter([0.1, 0.5, 0.4, 0.5, 0.6, 0.6, 0.3, 0.9])
    whole = Engine.end_epoch

    def end_epoch(engine: Engine) -> Epoch:
        epoch = whole(engine)
        known = engine.checkpoint is not None  # which the replay of a fingerprint has not
        return epoch.model_copy(update={"validation_accuracy": next(accuracies)}) if known else epoch

    monkeypatch.setattr(Engine, "end_epoch", end_epoch)
    flags = [
        "--epochs",
        "8",
        "--early-stop",
        "2",
        "--batch-size",
        "1237",
        "--report-epoch",
        "best_validation",
    ]
    record = train(digits, tmp_path, *flags)
    # Epoch 3 and 4 are not better than 2, but 4 is the second in a row, so that it ends there.
    assert [epoch.validation_accuracy for epoch in record.epochs] == [0.1, 0.5, 0.4, 0.5]
    assert (record.status, record.final.epoch) == ("completed", 2)


def test_a_diverged_run_is_a_result(digits: Path, tmp_path: Path) -> None:
    record = train(digits, tmp_path, "--epochs", "5", "--optimizer", "sgd", "--learning-rate", "1e30")
    assert record.status == "diverged"
    assert len(record.epochs) < 5
    assert record.epochs[-1].running_train_loss is None
    assert "NaN" not in (tmp_path / RECORD).read_text()


def test_the_shipped_own_model_trains(digits: Path, tmp_path: Path) -> None:
    file = REPOSITORY / "examples/own-model/patches.py"
    record = train(digits, tmp_path, "--model", "patches", "--model-file", str(file))
    assert record.config.model == "patches"
    assert len(record.code.model_sha256) == 64


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--epochs", "0"], "flags.epochs: '0' is not allowed: input should be greater than or equal to 1"),
        (["--optimizer", "adamm"], "flags.optimizer: 'adamm' is not allowed: input should be 'sgd'"),
        (["--model", "lenet"], "flags.model: 'lenet' is not known; did you mean 'lenet5'?"),
        (["--model", "resnet18", "--dropout", "0.5"], "dropout: 0.5 has no effect on model 'resnet18'"),
        (["--model-file", "none.py"], "none.py: cannot be read as a model"),
        (
            ["--validation-images", "1437"],
            "1437 is not allowed: data set 'digits' has 1437 training images",
        ),
        (["--momentum", "0.5"], "momentum 0.5 has no effect with optimizer 'adam'; remove it, or choose"),
        (
            ["--threads", "0"],
            "argument --threads: '0' is not allowed: it must be a whole number of 1 or more",
        ),
        (["--epochs"], "error: argument --epochs: expected one argument; see cifarbench train --help"),
        (["--epoch", "3"], "'--epoch' is not understood; did you mean '--epochs'? Allowed: --activation, "),
    ],
)
def test_a_wrong_flag_is_one_line_and_leaves_nothing(
    digits: Path, tmp_path: Path, fails: Callable[..., str], flags: list[str], line: str
) -> None:
    call = ["train", "--data", digits, "--output", tmp_path / "out"]
    validation = [] if "--validation-images" in flags else ["--validation-images", "0"]
    assert line in fails(*call, *validation, *flags)
    assert not (tmp_path / "out").exists()


def test_too_little_memory_is_said_with_the_batch_size(
    digits: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "step", lambda *_: torch.empty(2**50))
    call = ["train", "--data", digits, "--output", tmp_path / "out", "--validation-images", "0"]
    line = fails(*call, "--batch-size", "99")
    assert "batch_size: 99 is too much for model 'lenet5' in the memory of this cpu; choose a smaller" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_in_a_line(
    digits: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    call = ["train", "--data", digits, "--output", tmp_path / "out", "--validation-images", "0"]
    assert "device: 'cuda' is not allowed: PyTorch sees no GPU here" in fails(*call, "--device", "cuda")


def test_compiling_without_a_compiler_is_said_in_a_line(
    digits: Path, tmp_path: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    line = fails("train", "--data", digits, "--output", tmp_path / "run", *COMPILED)
    assert line.endswith(
        "compile: True is not allowed: it needs the C++ compiler g++ here; install it, or remove compile"
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_gpu_repeats_to_the_bit_unless_told_otherwise(
    deterministic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PyTorch asks to be set; that it then repeats, only a GPU could show."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    try:
        prepare_torch(TrainConfig(deterministic=deterministic), torch.device("cuda"), 1)
        assert torch.are_deterministic_algorithms_enabled() is deterministic
        assert torch.backends.cudnn.benchmark is not deterministic
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
        assert torch.utils.deterministic.fill_uninitialized_memory is False
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False


def test_data_that_is_missing_or_spoilt_is_named(
    digits: Path, tmp_path: Path, fails: Callable[..., str]
) -> None:
    call = ["--output", tmp_path / "out", "--validation-images", "0"]
    assert "manifest.json: cannot be read: No such file" in fails("train", "--data", tmp_path, *call)
    (tmp_path / "manifest.json").write_bytes((digits / "manifest.json").read_bytes())
    (tmp_path / "images.safetensors").write_bytes(b"spoilt")
    assert "images.safetensors: cannot be read" in fails("train", "--data", tmp_path, *call)


def test_a_record_is_checked_when_written_and_when_read(learnt: tuple[Path, Record], tmp_path: Path) -> None:
    _, record = learnt
    with pytest.raises(ValueError, match="finite"):
        write_record(record.model_copy(update={"images_per_second": float("inf")}), tmp_path)
    assert list(tmp_path.iterdir()) == []
    write_record(record, tmp_path)
    path = tmp_path / RECORD
    assert read_record(path) == record
    path.write_text(path.read_text()[:-50])
    with pytest.raises(UserError, match=r"metrics.json.*make it again with `cifarbench train`"):
        read_record(path)
