import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.plan.plan import make_plan
from cifarbench.records.folder import RECORD, WEIGHTS
from cifarbench.records.record import Epoch, Record, read_record
from cifarbench.sweep.jobs import Jobs
from cifarbench.training.listeners import Listeners
from helpers.repository import SMALL
from helpers.training import content, train

Fails = Callable[..., str]
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.trace:FutureWarning")
TWO_EPOCHS = ("--epochs", "2", "--model", "baseline", "--validation-images", "200")


@pytest.fixture(scope="module")
def tracked(digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracked") / "runs" / "one"
    train(digits, folder, *TWO_EPOCHS, "--track", "tensorboard", "--track-gradients")
    return folder


def events(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder / "tensorboard"), {"scalars": 0, "images": 0})
    found.Reload()
    return found


def curve(found: EventAccumulator, name: str) -> dict[int, float]:
    return {event.step: event.value for event in found.Scalars(name)}


def expected(record: Record, field: str) -> dict[int, float]:
    return {epoch.epoch: pytest.approx(getattr(epoch, field)) for epoch in record.epochs}


def test_tensorboard_holds_the_curves_of_the_record(tracked: Path) -> None:
    record, found = read_record(tracked / RECORD), events(tracked)
    assert record.tracked == ["tensorboard"]
    assert len(record.epochs) == 2
    assert curve(found, "accuracy/test") == expected(record, "test_accuracy")
    assert curve(found, "loss/train") == expected(record, "running_train_loss")
    assert curve(found, "learning_rate") == expected(record, "learning_rate")
    rates = {e.epoch: pytest.approx(record.data.train_images / e.train_seconds) for e in record.epochs}
    assert curve(found, "images_per_second") == rates
    assert all(norm > 0 for norm in curve(found, "gradient_norm").values())
    assert curve(found, "final/test_accuracy")[0] == pytest.approx(record.final.test.top1)


def test_tensorboard_holds_graph_mistakes_and_hyper_parameters(tracked: Path) -> None:
    found = events(tracked)
    assert found.Graph().node
    wrong = found.Tags()["images"]
    assert wrong and all(", not " in tag for tag in wrong)
    started = plugin_data_pb2.HParamsPluginData.FromString(
        found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    ).session_start_info
    assert started.hparams["model"].string_value == "baseline"
    assert started.hparams["epochs"].number_value == 2


def test_tracking_changes_nothing_of_what_is_trained(tracked: Path, digits: Path, tmp_path: Path) -> None:
    plain = train(digits, tmp_path / "plain", *TWO_EPOCHS)
    assert (tmp_path / "plain" / WEIGHTS).read_bytes() == (tracked / WEIGHTS).read_bytes()
    ours = content(read_record(tracked / RECORD))
    assert ours.pop("tracked") == ["tensorboard"]
    theirs = content(plain)
    assert theirs.pop("tracked") == []
    assert ours == theirs


def test_records_give_the_same_curves_afterwards(tracked: Path, digits: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    for path in tracked.iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    for _ in range(2):  # a second time takes the first one's place
        assert main(["track", str(tmp_path), "--data", str(digits.parent)]) == 0
    live, after = events(tracked), events(folder)
    for name in ("accuracy/validation", "loss/test", "final/test_loss"):
        assert curve(after, name) == curve(live, name)
        assert len(after.Scalars(name)) == len(live.Scalars(name))
    assert after.Tags()["images"] == live.Tags()["images"]


def test_wandb_stays_offline_unless_someone_is_logged_in(
    digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    from cifarbench.tracking.wandb import logged_in

    assert not logged_in()
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password key\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert logged_in()
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert not logged_in()
    record = train(digits, tmp_path / "run", *TWO_EPOCHS, "--track", "wandb")
    assert record.tracked == ["wandb"]
    (kept,) = tmp_path.glob("run/wandb/offline-run-*/run-*.wandb")
    written = kept.read_bytes()
    assert b"accuracy/test" in written and b"final/test_accuracy" in written


def test_a_listener_that_fails_hears_no_more_and_is_no_tracker_of_the_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken:
        name, is_tracker = "broken", True

        def epoch_ended(self, epoch: Epoch, images: int) -> None:
            raise OSError("no room")

    class Heard:
        name, is_tracker, epochs = "heard", True, 0

        def epoch_ended(self, epoch: Epoch, images: int) -> None:
            self.epochs += 1

    heard = Heard()
    listeners = Listeners([Broken(), heard])  # type: ignore[list-item]
    for _ in range(2):
        listeners.tell("epoch_ended", None, 1)
    assert heard.epochs == 2
    assert listeners.trackers == ["heard"]
    assert caplog.messages == ["broken: no room; the training goes on without it"]


def test_a_config_tracks_every_run_and_keeps_ids_and_parameters() -> None:
    config = {"defaults": SMALL, "studies": [{"name": "s", "title": "S", "runs": [{"model": "lenet5"}]}]}
    plain, watched = config, {**config, "track": ["tensorboard", "wandb"]}
    assert make_plan(parse(plain)).runs == make_plan(parse(watched)).runs
    jobs = Jobs(watched, [])
    assert jobs.track_flags() == "--track tensorboard --track wandb"
    norms = Jobs({**config, "track": ["wandb"], "track_gradients": True}, [])
    assert norms.track_flags() == "--track wandb --track-gradients"
    run = next(iter(jobs.runs))
    assert jobs.train(run).flags() == Jobs(plain, []).train(run).flags()


def test_a_tracker_that_is_not_installed_names_its_extra(
    digits: Path, tmp_path: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    line = fails("train", "--data", digits, "--output", tmp_path / "run", *TWO_EPOCHS, "--track", "wandb")
    assert "wandb is not installed; pip install 'cifarbench[wandb]'" in line
    assert not (tmp_path / "run").exists()
    assert "holds no records" in fails("track", tmp_path)
