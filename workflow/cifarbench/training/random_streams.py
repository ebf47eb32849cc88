"""Streams of random numbers, each with a seed of its own."""

import hashlib

import torch

from cifarbench.config.knobs import TrainConfig


def seed_of(config: TrainConfig, stream: str) -> int:
    """Return the seed of a stream: its own where a config sets one, or the run's."""
    own = {"weights": config.weights_seed, "order": config.order_seed}.get(stream)
    return config.seed if own is None else own


def draw_weights_of(config: TrainConfig) -> None:
    """Let torch's default generator, which draws initial weights, begin the stream of a config."""
    torch.manual_seed(stream_seed(seed_of(config, "weights"), "weights"))


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of one stream of random numbers; 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8]) >> 1


def generator(seed: int, stream: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(stream_seed(seed, stream))
