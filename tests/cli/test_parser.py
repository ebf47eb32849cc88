"""What every verb does with a wrong call, a system that refuses and a signal: one line, and no traceback."""

import argparse
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cifarbench.cli import plan
from cifarbench.cli.arguments import a_file, a_folder, a_path, output_file, output_folder
from cifarbench.cli.parser import VERBS, main, parser

PATHS = (a_file, a_folder, a_path, output_file, output_folder)
CONFIG = "studies: [{name: a, title: A, runs: [{}]}]"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_what_the_system_refuses_is_one_line(config: Path, fails: Callable[..., str]) -> None:
    long = "a" * 300
    assert "File name too long" in fails("plan", long)
    assert "File name too long" in fails("plan", config, "--runs", long)
    assert "File name too long" in fails("status", config, "--runs", long)
    assert "File name too long" in fails("plan", config, "--output", long)


def actions(verb: str) -> list[argparse.Action]:
    """Return the arguments of a verb."""
    root = parser([verb])
    [verbs] = [action.choices for action in root._actions if action.dest == "verb"]
    return list(verbs[verb]._actions)  # type: ignore[index, call-overload]


@pytest.mark.parametrize("verb", VERBS)
def test_no_path_is_an_empty_word(verb: str) -> None:
    for action in actions(verb):
        assert action.type is not Path, f"{action.dest}: a_file, a_folder or a_path of cli/arguments.py"
        if action.type in PATHS:
            with pytest.raises(argparse.ArgumentTypeError, match=r"^'' is not allowed: it must be a path$"):
                action.type("")


@pytest.mark.parametrize("verb", VERBS)
def test_where_nothing_can_be_written_is_said_before_the_work(verb: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for output in (action for action in actions(verb) if action.dest == "output"):
        read: Any = output.type
        kind, wrong = ("file", tmp_path) if read is output_file else ("folder", file)
        for path, why in ((wrong, f"; give a {kind}$"), (file / "below", f"lies below a file, {file}; ")):
            with pytest.raises(argparse.ArgumentTypeError, match=why):
                read(str(path))
        assert read(str(tmp_path / "new/place")) == tmp_path / "new/place"
        assert not (tmp_path / "new").exists()


def test_a_folder_that_this_user_may_not_change_is_no_place_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)  # root may change all
    with pytest.raises(argparse.ArgumentTypeError, match=f"{tmp_path} is not yours to change$"):
        output_file(str(tmp_path / "new/file"))


def test_a_file_is_no_folder_and_a_folder_no_file(config: Path, fails: Callable[..., str]) -> None:
    assert "--runs: 'c.yaml' is a file; give a folder" in fails("plan", config, "--runs", "c.yaml")
    assert "table: '.' is a folder; give a file" in fails("seeds", ".")
    Path("runs").mkdir()
    assert main(["plan", str(config), "--runs", "runs", "--output", "new/plan.json"]) == 0


def test_numbers_out_of_bounds_are_one_line(fails: Callable[..., str]) -> None:
    for port in ("0", "65536", "-1", "80.5", ""):
        assert f"--port: {port!r} is not allowed: it must be from 1 to 65535" in fails(
            "app", f"--port={port}"
        )
    for verb, flag in (("bench", "--seconds"), ("train", "--checkpoint-minutes")):
        for number in ("0" if verb == "bench" else "-0", "-1", "nan", "inf", "x"):  # 0 saves at each step
            line = fails(verb, f"{flag}={number}")
            assert f"{flag}: {number!r} is not allowed: it must be a number above 0" in line


def test_a_package_that_is_missing_is_named_and_a_fault_of_ours_is_not_hidden(
    config: Path, fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "rich.console", None)
    for module in ("cifarbench.cli.status", "cifarbench.sweep.view"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    assert "package rich.console is not installed; pip install it" in fails("status", config)
    monkeypatch.setattr(plan, "summary", lambda _: __import__("cifarbench.nonsense"))
    with pytest.raises(ModuleNotFoundError):
        main(["plan", str(config)])


def test_no_control_character_of_a_call_reaches_the_terminal(config: Path, fails: Callable[..., str]) -> None:
    assert r"x\x1b[31m.yaml: cannot be read" in fails("plan", "x\x1b[31m.yaml")
    assert r"--\x1b[2J" in fails("plan", config, "--\x1b[2J")
    assert r"'\x1b[2J' is not allowed" in fails("models", "lenet5", "--classes", "\x1b[2J")


def test_plan_needs_what_snakemake_needs(config: Path, fails: Callable[..., str]) -> None:
    assert "--runs: 'runs' is not allowed" in fails("plan", config, "--why", "--runs", "runs")
    config.write_text(
        "datasets: [{name: mine, format: folder, source: none.zip}]\n"
        "studies: [{name: a, title: A, runs: [{dataset: mine}]}]"
    )
    line = fails("plan", config)
    assert line.endswith("dataset 'mine': source 'none.zip' is not there; set it to what is")
    Path("data/mine").mkdir(parents=True)
    Path("data/mine/manifest.json").touch()  # made already: the source is not needed any more
    assert main(["plan", str(config)]) == 0


def test_a_module_is_not_taken_from_the_working_directory(config: Path) -> None:
    for name in ("random", "statistics", "torch", "yaml"):
        Path(f"{name}.py").write_text("raise SystemExit('shadowed')")
    call = [sys.executable, "-m", "cifarbench", "plan", str(config)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def unread(pipe: int) -> int:
    """Return how many bytes wait in a pipe."""
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_verb_in_one_line(config: Path, number: signal.Signals) -> None:
    os.mkfifo("slow")  # `plan -` waits for it
    slow = os.open("slow", os.O_RDWR)
    os.write(slow, b"#")
    call = [sys.executable, "-m", "cifarbench", "plan", "-"]
    # A shell that runs the tests in the background has them ignore interrupts.
    heard = partial(signal.signal, number, signal.SIG_DFL)
    with subprocess.Popen(call, stdin=slow, stderr=subprocess.PIPE, text=True, preexec_fn=heard) as running:
        try:
            while unread(slow):  # until it waits for more
                time.sleep(0.01)
            running.send_signal(number)
            error = running.communicate(timeout=20)[1]
        finally:
            running.kill()
    os.close(slow)
    assert error == "cifarbench: stopped\n"
    assert running.returncode == 130


def test_help_says_what_holds_for_a_knob_that_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, default in (
        ("--width", "as model or conventions"),
        ("--optimizer-eps", "as model or conventions"),
        ("--image-size", "none"),  # the model sees the images as they are
        ("--initial-weights", "none"),
        ("--milestones", "none"),
        ("--dropout", "as model or conventions"),
        ("--early-stop", "0"),
    ):
        assert re.search(rf"{name} VALUE [^()]*\([^()]*default {default}\)", said), name
