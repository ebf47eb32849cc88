"""Training through the CLI on real digits: it learns, repeats to the bit, and its record is checked."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.errors import UserError
from cifarbench.models.build import build_model
from cifarbench.records.folder import PREDICTIONS, RECORD, WEIGHTS
from cifarbench.records.record import Epoch, Record, read_record, write_record
from cifarbench.training.device import prepare_torch
from cifarbench.training.engine import Engine
from cifarbench.training.random_streams import draw_weights_of
from helpers.repository import REPOSITORY, SMALL
from helpers.training import train, without_times

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
def test_the_same_run_gives_the_same_bits(few: Path, tmp_path: Path, precision: str, layout: str) -> None:
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
    flags += ["--model", "baseline", "--epochs", "2", "--validation-images", "20", "--batch-size", "16"]
    first, second = (train(few, tmp_path / name, *flags) for name in "ab")
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
