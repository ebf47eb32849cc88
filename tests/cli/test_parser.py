"""What every verb does with a wrong call, a system that refuses and a signal: one line, and no traceback."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cifarbench.cli import plan
from cifarbench.cli.parser import main

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
    assert "File exists" in fails("plan", config, "--output", config / "plan.json")


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


def takes_sigterm_over(process: int) -> bool:
    """Tell whether a verb has begun."""
    [caught] = re.findall(r"^SigCgt:\s*(\w+)", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_verb_in_one_line(config: Path, number: signal.Signals) -> None:
    os.mkfifo("slow")  # `plan -` waits for it
    reader = os.open("slow", os.O_RDWR)
    call = [sys.executable, "-m", "cifarbench", "plan", "-"]
    with subprocess.Popen(call, stdin=reader, stderr=subprocess.PIPE, text=True) as running:
        try:
            while not takes_sigterm_over(running.pid):
                time.sleep(0.01)
            running.send_signal(number)
            error = running.communicate(timeout=20)[1]
        finally:
            running.kill()
    os.close(reader)
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
