"""Streams of random numbers, each with a seed of its own."""

import hashlib

import torch

from cifarbench.training.checkpoint import State


def random_state(device: torch.device) -> State:
    """Return the states of the default generators, which dropout draws from."""
    gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return {"cpu": torch.get_rng_state(), "cuda": gpu}


def set_random_state(state: State) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"].cpu())


def stream_seed(seed: int, stream: str) -> int:
    """Derive the seed of one stream of random numbers; 63 bits."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8]) >> 1


def generator(seed: int, stream: str, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(stream_seed(seed, stream))
