"""The fingerprint: rounding does not reach it, and no change of how a run trains escapes it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import load
from cifarbench.records.fingerprint import INDIFFERENT, PACKAGE, behaviour, first_difference, training_sources
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Code, Fingerprint, read_record
from cifarbench.training import augment, losses, optimizers, schedules
from cifarbench.training.device import prepare_torch
from cifarbench.training.fingerprint import fingerprint
from cifarbench.training.train import identity
from helpers.behaviour import CHANGES, LEFT_OUT, TYPICAL, elsewhere, of
from helpers.training import train

SMALL_MODELS = [
    {**TYPICAL, "model": "lenet5"},
    {**TYPICAL, "model": "resnet9", "width": 0.125},
    {"model": "inception10", "width": 0.5, "conventions": "keras"},
    {"model": "alexnet8", "width": 0.125},
    {"model": "airbench94", "width": 0.1, "whitening": True, "optimizer": "muon", "momentum": 0.9},
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    prepare_torch(TrainConfig(), torch.device("cpu"), threads=1)


@pytest.mark.parametrize("way", ["two threads", "no vectors"])  # all of ROUNDING: `make bench`
def test_rounding_does_not_reach_it(digits: Path, way: str) -> None:
    for knobs, found in zip(SMALL_MODELS, elsewhere(SMALL_MODELS, digits, way), strict=True):
        here = of(knobs, digits)
        assert first_difference(here, found) is None
        assert behaviour(here) == behaviour(found)


@pytest.mark.parametrize("name", CHANGES)
def test_no_change_of_a_knob_escapes_it(digits: Path, name: str) -> None:
    before, after = CHANGES[name]
    assert first_difference(of(before, digits), of({**before, **after}, digits)) is not None


def test_every_knob_is_among_the_changes() -> None:
    changed = {name for _, after in CHANGES.values() for name in after}
    assert changed | set(LEFT_OUT) == set(TrainConfig.model_fields)
    assert not changed & set(LEFT_OUT)


def further_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = optimizers.plain_step

    def further(optimizer: torch.optim.Optimizer) -> Callable[[], None]:
        step = plain(optimizer)

        def take() -> None:
            weights = [tensor for group in optimizer.param_groups for tensor in group["params"]]
            before = [tensor.detach().clone() for tensor in weights]
            step()
            with torch.no_grad():
                for tensor, start in zip(weights, before, strict=True):
                    tensor += 1e-6 * (tensor - start)

        return take

    monkeypatch.setattr(optimizers, "plain_step", further)


def larger_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = losses.LOSSES["cross_entropy"]
    monkeypatch.setitem(losses.LOSSES, "cross_entropy", lambda *given: plain(*given) * (1 + 1e-7))


def later_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = schedules.SCHEDULES["multistep"]

    def later(config: TrainConfig, moment: schedules.Moment) -> float:
        return plain(config, moment._replace(epoch=moment.epoch - 1e-3))

    monkeypatch.setitem(schedules.SCHEDULES, "multistep", later)


def other_mirrors(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = augment.AUGMENTATIONS["flip"]
    flipped = plain._replace(apply=lambda images, *given: plain.apply(images.flip(3), *given))
    monkeypatch.setitem(augment.AUGMENTATIONS, "flip", flipped)


def other_order(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *given, **named: plain(*given, **named).flip(0))


def wider_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nn.init.kaiming_uniform_

    def wider(tensor: torch.Tensor, *given: object, **named: object) -> torch.Tensor:
        with torch.no_grad():
            return plain(tensor, *given, **named).mul_(1 + 1e-5)

    monkeypatch.setattr(nn.init, "kaiming_uniform_", wider)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (further_steps, "update of step 1"),
        (larger_loss, "loss of step 1"),
        (later_rates, "learning rate in part"),
        (other_mirrors, "loss of step 1"),
        (other_order, "loss of step 1"),
        (wider_weights, "loss of step 1"),
    ],
)
def test_a_change_of_the_code_is_placed(
    digits: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], says: str
) -> None:
    knobs = {"schedule": "multistep", "milestones": [5], "flip": True}
    before = of(knobs, digits)
    with monkeypatch.context() as changed:
        change(changed)
        difference = first_difference(before, of(knobs, digits))
    assert difference is not None
    assert difference.startswith(says)
    assert first_difference(before, of(knobs, digits)) is None


def test_it_leaves_the_training_alone(digits: Path) -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    of(TYPICAL, digits)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() == torch.float32


def test_all_seeds_share_it_and_compute_it_once(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = train(digits, tmp_path / "lenet5-0-s0")
    assert first.fingerprint == of(first.config.model_dump(), digits)
    assert 0 < first.seconds.fingerprint < first.seconds.total
    folder = tmp_path / first.run
    (tmp_path / "lenet5-0-s0").rename(folder)

    def replayed(*_: object) -> None:
        raise AssertionError("replayed again")

    monkeypatch.setattr("cifarbench.training.fingerprint.fingerprint", replayed)
    assert train(digits, tmp_path / "other", "--seed", "1").fingerprint == first.fingerprint
    # In a pack, too; but not from a record of other sources.
    assert train(digits, tmp_path / "third" / "packed", "--seed", "2").fingerprint == first.fingerprint
    record = folder / RECORD
    record.write_text(record.read_text().replace(first.code.source_sha256, "0" * 64))
    with pytest.raises(AssertionError, match="replayed again"):
        train(digits, tmp_path / "fourth", "--seed", "3")


def test_a_checkpoint_goes_on_with_other_sources_that_train_the_same(digits: Path) -> None:
    def same(known: Fingerprint | None, sources: str) -> dict[str, str]:
        code = Code(version="1", commit=None, dirty=None, source_sha256=sources, model_sha256="m")
        return identity(TrainConfig(), "data", code, torch.device("cpu"), known)

    here, slip = (of(knobs, digits) for knobs in CHANGES["epsilon of Adam"])
    rounded = here.model_copy(update={"losses": [loss and loss * (1 + 1e-13) for loss in here.losses]})
    assert same(here, "these") == same(rounded, "others")
    assert same(here, "these") != same(slip, "these")
    # Nothing but the sources tells of a model that cannot be replayed.
    assert same(None, "these") != same(None, "others")


def test_what_cannot_compute_in_float64_trains_without(
    digits: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tmp_path / "single.py"
    model.write_text(
        "import torch\nfrom torch import nn\n\n\nclass Single(nn.Linear):\n"
        "    def forward(self, images):\n        return super().forward(images.float().flatten(1))\n\n\n"
        "def build(classes):\n    return Single(3 * 32 * 32, classes, dtype=torch.float32)\n"
    )
    flags = ["--model", "single", "--model-file", str(model)]
    record = train(digits, tmp_path / "run", *flags)
    assert record.fingerprint is None
    assert record.status == "completed"
    assert "no fingerprint: this model cannot be replayed in float64" in caplog.text
    assert read_record(tmp_path / "run" / RECORD) == record


def test_a_few_images_are_enough(digits: Path) -> None:
    """Images stand in for themselves again where fewer train than are replayed."""
    config = TrainConfig(dataset="digits", validation_images=1430)
    found = fingerprint(config, load(digits, config, torch.device("cpu")), None)
    assert len(found.losses) == 3


def test_the_sources_that_decide_are_all_but_a_few() -> None:
    names = {path.relative_to(PACKAGE).as_posix() for path in training_sources()}
    assert {"training/engine.py", "training/optimizers.py", "config/knobs.py", "models/build.py"} <= names
    assert all((PACKAGE / name).is_file() and name not in names for name in INDIFFERENT)
