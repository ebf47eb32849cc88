"""The device layer, with stand-ins for the GPUs that are not here."""

import resource
from types import SimpleNamespace

import pytest
import torch

from cifarbench.errors import UserError
from cifarbench.training import device as layer


class Module:
    """What `torch.cuda`, `torch.xpu` and `torch.mps` have in common, and what only some have."""

    def __init__(self, *names: str) -> None:
        self.calls: list[str] = []
        answers = {
            "get_device_name": lambda _: "Some GPU",
            "max_memory_allocated": lambda _: 123,
            "is_initialized": lambda: True,
        }
        for name in ("synchronize", "get_rng_state", "set_rng_state", *names):
            setattr(self, name, self._noting(name, answers.get(name, lambda *_: torch.zeros(1))))

    def _noting(self, name: str, answer: object) -> object:
        def call(*arguments: object) -> object:
            self.calls.append(name)
            return answer(*arguments)  # type: ignore[operator]

        return call


FULL = ("get_device_name", "max_memory_allocated", "is_initialized", "reset_peak_memory_stats")
HAVE = {"cuda": FULL, "xpu": FULL, "mps": ()}


def install(monkeypatch: pytest.MonkeyPatch, kind: str) -> Module:
    module = Module(*HAVE[kind])
    gpu = torch.device(kind)
    monkeypatch.setattr(
        torch, "get_device_module", lambda device: module if device in (gpu, kind) else torch.cpu
    )
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: gpu)
    return module


@pytest.mark.parametrize("kind", HAVE)
def test_auto_takes_the_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    module = install(monkeypatch, kind)
    gpu = layer.choose_device("auto")
    assert gpu == layer.choose_device(kind) == torch.device(kind)
    assert layer.choose_device("cpu") == torch.device("cpu")
    other = "xpu" if kind == "cuda" else "cuda"
    with pytest.raises(UserError, match=f"device: '{other}' is not allowed: PyTorch sees only '{kind}' here"):
        layer.choose_device(other)
    states = layer.random_state(gpu)
    assert states.keys() == {"cpu", kind}
    layer.set_random_state(states)
    layer.synchronise(gpu)
    assert {"synchronize", "get_rng_state", "set_rng_state"} <= set(module.calls)
    assert layer.peak_memory_bytes(gpu) == (
        123 if kind != "mps" else layer.peak_memory_bytes(torch.device("cpu"))
    )
    layer.reset_peak_memory(gpu)
    assert ("reset_peak_memory_stats" in module.calls) == (kind != "mps")
    assert layer.device_name(gpu) == "Some GPU" or kind == "mps"


def test_without_a_gpu_auto_takes_the_processor_and_no_other_name_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert layer.choose_device("auto") == torch.device("cpu")
    for name in HAVE:
        with pytest.raises(UserError, match=f"device: '{name}' is not allowed: PyTorch sees no GPU here"):
            layer.choose_device(name)


def test_an_apple_gpu_is_called_by_its_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "mps")
    monkeypatch.setattr(layer.platform, "system", lambda: "Darwin")
    monkeypatch.setattr(layer.subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="Apple M2\n"))
    assert layer.device_name(torch.device("mps")) == "Apple M2 (mps)"


@pytest.mark.parametrize(("system", "bytes"), [("darwin", 7), ("linux", 7 * 1024)])
def test_the_peak_of_a_process_is_in_bytes_on_every_system(
    monkeypatch: pytest.MonkeyPatch, system: str, bytes: int
) -> None:
    monkeypatch.setattr(layer.sys, "platform", system)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=7))
    assert layer.peak_memory_bytes(torch.device("cpu")) == bytes
