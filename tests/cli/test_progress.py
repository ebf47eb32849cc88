"""Progress bars: what a terminal shows, that a log has none, and that no weight depends on them."""

import logging
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from rich.progress import ProgressColumn
from rich.text import Text

from cifarbench.cli import progress
from cifarbench.cli.parser import main
from cifarbench.config.knobs import TrainConfig
from cifarbench.records.folder import WEIGHTS
from helpers.server import Server
from helpers.training import train

EPOCH = {"validation_accuracy": 0.5, "running_train_accuracy": 0.25, "running_train_loss": 1.5}


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """Let standard error be a terminal, on which work has a bar at once; return what is written there."""
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=160, legacy_windows=False)
    monkeypatch.setattr(progress, "terminal", lambda: console)
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    return out


def test_a_training_on_a_terminal_has_a_bar_and_the_same_weights(
    digits: Path, tmp_path: Path, screen: StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(digits, tmp_path / "bar", "--model", "lenet5", "--epochs", "2")
    shown = screen.getvalue()
    assert "epoch 1/2  lenet5" in shown and "\x1b[?25l" in shown
    before = len(shown)
    monkeypatch.setattr(progress, "terminal", lambda: None)
    train(digits, tmp_path / "plain", "--model", "lenet5", "--epochs", "2")
    assert len(screen.getvalue()) == before
    assert (tmp_path / "bar" / WEIGHTS).read_bytes() == (tmp_path / "plain" / WEIGHTS).read_bytes()


def test_no_file_and_no_pipe_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as some batch systems set it, whose logs `status` reads
    monkeypatch.setattr(sys, "stderr", StringIO())
    assert progress.terminal() is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "loss 1.5000  acc 0.5000 (validation)"),
        ({"validation_accuracy": None}, "loss 1.5000  acc 0.2500 (train)"),
        ({"running_train_loss": None}, "loss not finite  acc 0.5000 (validation)"),
    ],
)
def test_the_bar_of_a_training_counts_images_and_tells_of_the_last_epoch(
    changes: dict[str, float | None], words: str
) -> None:
    epochs = [SimpleNamespace(**{**EPOCH, **changes})]
    config = TrainConfig(model="lenet5", epochs=3)
    found = progress.how_far(config, SimpleNamespace(epochs=epochs, position=20), 100)
    assert found == {"description": f"epoch 2/3  {words}  lenet5", "total": 300, "completed": 120}
    over = progress.how_far(config, SimpleNamespace(epochs=3 * epochs, position=0), 100)
    assert over["completed"] == over["total"] and "epoch 3/3" in over["description"]


@pytest.mark.parametrize("columns", [progress.TRAINING, progress.BYTES, progress.RUNS, progress.ELAPSED])
def test_a_bar_is_one_line_with_all_figures_on_a_terminal_of_80_columns(
    columns: Sequence[ProgressColumn],
) -> None:
    out = StringIO()
    console = Console(file=out, force_terminal=True, width=80, legacy_windows=False)
    words = "epoch 12/400  loss 2.0153  acc 0.6800 (validation)  torchvision/resnet18"
    with progress.Bar(console, columns, lambda: {"description": words, "total": 3_000_000, "completed": 999}):
        pass
    lines = [line for line in Text.from_ansi(out.getvalue()).plain.splitlines() if line]
    assert {line.count("epoch 12/400  loss 2.0153") for line in lines} == {1}
    assert all(len(line) <= 80 and line.count("…") == 1 and ":" in line[-8:] for line in lines)


def test_lines_of_the_log_go_above_the_bar_and_back_where_they_went(screen: StringIO) -> None:
    log, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    log.addHandler(handler)
    try:
        with progress.working("reading"):
            log.warning("a line")
        assert "a line" in screen.getvalue() and "reading" in screen.getvalue()
        assert handler.stream is sys.stderr
    finally:
        log.removeHandler(handler)


def test_short_work_shows_no_bar(screen: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 1000.0)
    with progress.working("reading"):
        pass
    assert "reading" not in screen.getvalue()


def test_work_that_fails_leaves_the_terminal_as_it_was(screen: StringIO) -> None:
    before = sys.stderr
    with pytest.raises(ValueError, match="broken"), progress.working("reading"):
        raise ValueError("broken")
    assert sys.stderr is before
    assert "\x1b[?25h" in screen.getvalue()  # the cursor is back


def test_a_transfer_that_starts_again_counts_from_the_beginning() -> None:
    count = progress.Count()
    count.total = 10
    count.update(8)
    count.total = 10
    count.update(3)
    assert (count.done, count.total) == (3, 10)


def test_downloading_has_a_bar(tmp_path: Path, screen: StringIO) -> None:
    server = Server(b"x" * 2_000_000)
    try:
        call = ["download", "--url", server.url, "--checksum", "none", "--output", str(tmp_path / "a.zip")]
        assert main(call) == 0
    finally:
        server.close()
    assert "a.zip" in screen.getvalue() and "2.0/2.0 MB" in Text.from_ansi(screen.getvalue()).plain


def test_normalising_and_collecting_have_bars(tmp_path: Path, screen: StringIO) -> None:
    data, plan = tmp_path / "data", tmp_path / "plan.json"
    assert main(["normalise", "--name", "digits", "--format", "digits", "--output", str(data)]) == 0
    assert "reading digits" in screen.getvalue()
    config = tmp_path / "config.yaml"
    config.write_text("studies: [{name: a, title: A, runs: [{seed: [0, 1, 2]}]}]")
    assert main(["plan", str(config), "--output", str(plan)]) == 0
    assert main(["collect", str(plan), "--runs", str(tmp_path), "--output", str(tmp_path / "t.parquet")]) == 0
    assert "3/3 runs" in Text.from_ansi(screen.getvalue()).plain
