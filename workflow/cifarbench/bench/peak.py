"""What a device can do, against which training is set: the better of a matrix product and a convolution.

Neither is the faster one everywhere: float32 products go through another library than convolutions on a
processor. torch is imported within, since `cifarbench bench --help` needs none.
"""

import time
from collections.abc import Callable
from typing import Any

TRIES = 20  # of which the fastest counts


def peak_rate(precision: str, device: Any) -> float:
    """Return floating-point operations per second."""
    return max(rate(*kind(precision, device), device) for kind in (product, convolution))


def product(precision: str, device: Any) -> tuple[Callable[[], Any], int]:
    """Return a square matrix product and its operations."""
    import torch

    size = 2048 if device.type == "cpu" else 8192
    a, b = torch.randn(2, size, size, device=device).to(getattr(torch, precision))
    return lambda: a @ b, 2 * size**3


def convolution(precision: str, device: Any) -> tuple[Callable[[], Any], int]:
    """Return a 3x3 convolution of 256 channels, 32x32 pixels, channels_last, and its operations."""
    import torch

    images, channels, side = (8 if device.type == "cpu" else 512), 256, 32
    dtype, layout = getattr(torch, precision), torch.channels_last
    x = torch.randn(images, channels, side, side, device=device).to(dtype, memory_format=layout)
    layer = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False, device=device, dtype=dtype)
    layer = layer.to(memory_format=layout).requires_grad_(False)
    return lambda: layer(x), 2 * images * side**2 * channels**2 * 9


def rate(work: Callable[[], Any], operations: int, device: Any) -> float:
    from cifarbench.training.device import synchronise

    fastest = float("inf")
    for _ in range(TRIES):
        synchronise(device)
        start = time.perf_counter()
        work()
        synchronise(device)
        fastest = min(fastest, time.perf_counter() - start)
    return operations / fastest
