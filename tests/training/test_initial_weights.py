"""Runs that start from weights in a file: what fits is taken, the rest drawn; a backbone that stays."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cifarbench.config.benchmark import locate, parse
from cifarbench.config.flags import flags
from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.models.build import build_model
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.plan.plan import make_plan
from cifarbench.records.verified import Verified
from cifarbench.sweep.verify import verify
from cifarbench.training.initial import freeze_backbone
from helpers.training import train

HELD_OUT = ("--validation-images", "10")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return weights of a LeNet-5 for seven classes."""
    torch.manual_seed(3)
    save_file(build_model(TrainConfig(), 7).state_dict(), tmp_path / "seven.safetensors")
    return tmp_path / "seven.safetensors"


@pytest.mark.parametrize("kind", ["safetensors", "state dict", "of DataParallel"])
def test_a_frozen_backbone_keeps_the_files_weights_and_the_last_layer_learns(
    few: Path, weights: Path, tmp_path: Path, kind: str
) -> None:
    theirs, path = load_file(weights), weights
    if kind != "safetensors":
        path = tmp_path / "weights.pt"
        prefix = "module." if kind == "of DataParallel" else ""
        torch.save({"state_dict": {prefix + name: tensor for name, tensor in theirs.items()}}, path)
    given = ("--initial-weights", str(path), "--freeze", "backbone", "--weight-decay", "0.1")
    record = train(few, tmp_path / "run", *HELD_OUT, *given)
    ours = load_file(tmp_path / "run/weights.safetensors")
    assert {name for name in theirs if not torch.equal(theirs[name], ours[name])} == {"11.weight", "11.bias"}
    assert record.config.initial_weights_sha256 == sha256_of(path)
    assert record.model.started_anew == ["11"]
    assert record.model.trainable_parameters == 84 * 10 + 10


def test_without_freezing_all_of_it_learns_from_there(few: Path, weights: Path, tmp_path: Path) -> None:
    record = train(few, tmp_path / "run", *HELD_OUT, "--initial-weights", str(weights))
    plain = train(few, tmp_path / "plain", *HELD_OUT)
    theirs, ours = load_file(weights), load_file(tmp_path / "run/weights.safetensors")
    assert not any(torch.equal(theirs[name], ours[name]) for name in theirs)
    assert record.first_losses != plain.first_losses
    assert record.configuration != plain.configuration
    [(_, found)] = verify([record], few.parent, BUILTIN_MODELS, Verified())
    assert found.outcome == "bits"
    weights.unlink()
    [(_, found)] = verify([record], few.parent, BUILTIN_MODELS, Verified())
    assert (found.outcome, "is not here" in found.words) == ("not replayed", True)


def test_a_frozen_backbones_batch_norm_stays(few: Path) -> None:
    config = TrainConfig(dataset="few", model="resnet20", width=0.25, validation_images=0)
    model = build_model(config, 10)
    freeze_backbone(model, 10)
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    images, _ = load(few, config, torch.device("cpu")).train.batch(slice(0, 8))
    model.train()(images.float()).sum().backward()
    assert all(torch.equal(before[name], buffer) for name, buffer in model.named_buffers())
    assert [name for name, weight in model.named_parameters() if weight.grad is not None] == [
        name for name, _ in model.named_parameters()
    ][-2:]


def test_the_id_is_of_what_the_file_holds_wherever_it_lies(weights: Path, tmp_path: Path) -> None:
    def planned(path: object) -> list[TrainConfig]:
        run = {"initial_weights": path, "epochs": 1, **({"samples": 8} if isinstance(path, dict) else {})}
        config = parse({"studies": [{"name": "s", "title": "T", "runs": [run]}]})
        runs = make_plan(locate(config, [tmp_path])).runs
        ids.append([run.id for run in runs])
        return [run.config for run in runs]

    ids: list[list[str]] = []
    [beside] = planned("seven.safetensors")  # where the config lies
    assert beside.initial_weights == str(weights)
    shutil.copy(weights, tmp_path / "copy.safetensors")
    planned(str(tmp_path / "copy.safetensors"))
    assert ids[0] == ids[1]
    other = load_file(weights)
    other["0.bias"] += 1
    save_file(other, tmp_path / "other.safetensors")
    planned(["seven.safetensors", "other.safetensors", None])
    assert ids[2][0] == ids[0][0]
    planned({"choice": ["seven.safetensors", "other.safetensors"]})
    assert set(ids[3]) == set(ids[2][:2])
    assert len(set(ids[2])) == 3
    assert "--initial-weights-sha256" in flags(beside)


def test_what_is_wrong_is_a_line(few: Path, weights: Path, tmp_path: Path, fails: Callable[..., str]) -> None:
    def refused(*given: object) -> str:
        return fails("train", "--data", few, "--output", tmp_path / "run", *HELD_OUT, *given)

    assert "flags.initial_weights: '/nowhere' cannot be read: No such" in refused(
        "--initial-weights", "/nowhere"
    )
    assert "has no effect without initial_weights" in refused("--initial-weights-sha256", "0" * 64)
    line = refused("--initial-weights", weights, "--initial-weights-sha256", "0" * 64)
    assert f"its sha256 is {sha256_of(weights)}, not {'0' * 64}; bring that one back" in line
    gone = refused("--initial-weights", "/nowhere", "--initial-weights-sha256", "0" * 64)
    assert "/nowhere" in gone
    assert "fits no layer of this model: it holds '0.bias'" in refused(
        "--initial-weights", weights, "--model", "resnet9"
    )
    assert not (tmp_path / "run/metrics.json").exists()
    with pytest.raises(UserError, match="needs a last linear or convolutional layer with 9 outputs"):
        freeze_backbone(build_model(TrainConfig(), 10), 9)
