"""Where the time of a training step goes, by kind of layer, from PyTorch's profiler."""

from collections.abc import Callable
from typing import Any

# The first of these that an operation's name contains is its kind; others keep their own names.
KINDS = {
    "conv": "convolution",
    "pool": "pooling",
    "batch_norm": "batch norm",
    "layer_norm": "layer norm",
    "attention": "attention",
    "addmm": "linear",
    "aten::mm": "linear",
    "linear": "linear",
    "fused": "optimizer",
    "foreach": "optimizer",
    "dropout": "dropout",
    "threshold": "activation",
    "relu": "activation",
    "gelu": "activation",
    "tanh": "activation",
    "sigmoid": "activation",
    "softmax": "loss",
    "nll_loss": "loss",
    "index_select": "choice of images and shifts",
    "copy_": "copies",
}
STEPS = 10
MOST = 10  # kinds that are told


def kind_of(operation: str) -> str:
    return next((kind for part, kind in KINDS.items() if part in operation), operation.removeprefix("aten::"))


def shares(times: dict[str, float]) -> dict[str, float]:
    """Turn the times of operations into the shares of the MOST kinds that take the longest, longest first."""
    by_kind: dict[str, float] = {}
    for operation, seconds in times.items():
        by_kind[kind_of(operation)] = by_kind.get(kind_of(operation), 0.0) + seconds
    whole = sum(by_kind.values())
    longest = sorted(by_kind, key=lambda kind: -by_kind[kind])[:MOST]
    return {kind: by_kind[kind] / whole for kind in longest}


def profile(step: Callable[[], Any], device: Any) -> dict[str, float]:
    """Return the shares of a step's time by kind, over some steps."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    gpu = device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if gpu else [])]
    with profiler(activities=activities) as found:
        for _ in range(STEPS):
            step()
    clock = "self_device_time_total" if gpu else "self_cpu_time_total"
    return shares({event.key: getattr(event, clock) for event in found.key_averages()})
