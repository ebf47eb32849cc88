"""The tricks on PyTorch's insides still work with the PyTorch that is here, and training goes on without."""

import logging
import subprocess
import sys

import pytest
import torch
from torch import nn, optim

from cifarbench.training import torch_internals
from cifarbench.training.optimizers import OPTIMIZERS
from cifarbench.training.torch_internals import keep_compiler_out, plain_step


@pytest.fixture(autouse=True)
def unsaid() -> None:
    torch_internals.say_once.cache_clear()


def stepped(optimizer: optim.Optimizer, weight: nn.Parameter, step: object) -> torch.Tensor:
    weight.grad = torch.ones_like(weight)
    step()  # type: ignore[operator]
    return weight.detach().clone()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_plain_step_is_there_and_does_what_the_step_does(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    shape = (3, 3) if name == "muon" else (3,)
    weights = [nn.Parameter(torch.ones(shape)) for _ in range(2)]
    plain, wrapped = (OPTIMIZERS[name].optimizer([weight], lr=0.1) for weight in weights)
    step = plain_step(plain)
    assert step != plain.step
    assert stepped(plain, weights[0], step).equal(stepped(wrapped, weights[1], wrapped.step))
    assert not caplog.text


def test_the_compiler_stays_out() -> None:
    program = (
        "import sys, torch; from cifarbench.training.torch_internals import keep_compiler_out, plain_step;"
        "keep_compiler_out(); w = torch.nn.Parameter(torch.ones(3)); o = torch.optim.Adam([w]);"
        "w.grad = torch.ones(3); plain_step(o)(); o.zero_grad(); o.load_state_dict(o.state_dict());"
        "print(*(name for name in sys.modules if name.startswith('torch._dynamo')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()
    assert not done.stderr


class Changed(optim.SGD):
    """An optimizer of a PyTorch to come, whose step takes something else."""

    def step(self, closure: object = None, scale: float = 1.0) -> None:
        super().step()


def test_without_the_inside_that_it_reaches_for_a_trick_is_left_out_and_said_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING)
    weight = nn.Parameter(torch.ones(3))
    for _ in range(2):
        changed = Changed([weight], lr=0.5)
        step = plain_step(changed)
    assert stepped(changed, weight, step).tolist() == [0.5] * 3
    monkeypatch.setattr(torch_internals, "flop_counter", object())
    keep_compiler_out()
    assert caplog.text.count("has changed inside; without the optimizer's plain step") == 1
    assert caplog.text.count("without keeping its compiler out") == 1
