"""Streams of random numbers, each with a seed of its own."""

import hashlib

import torch


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of one stream of random numbers; 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8]) >> 1


def generator(seed: int, stream: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(stream_seed(seed, stream))
