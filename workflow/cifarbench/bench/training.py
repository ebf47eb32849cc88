"""How fast we train beside the way most people write it: `cifarbench bench --output results/bench.json`.

The naive way, in `steps` as a reference: a torchvision data set of PIL images, transforms image by image, a
DataLoader with two workers, float32, and `.item()` at every step. Both ways train the same model on the
same images with the same augmentation, in turn, several rounds, each in a process of its own; what counts
is the ratio of images per second within a round. `--device cuda` does the same on a GPU.
"""

import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cifarbench.bench.peak import peak_rate
from cifarbench.bench.profile import profile
from cifarbench.bench.steps import EPOCH, naive_steps, our_steps
from cifarbench.config.knobs import TrainConfig
from cifarbench.files import write_text

MODELS = ("lenet5", "baseline", "alexnet8", "inception10", "vgg16", "resnet18")
# What is timed on each device: (model, batch size).
CASES = {
    "cpu": (("lenet5", 128), ("lenet5", 32), *((model, 128) for model in MODELS[1:])),
    "cuda": tuple((model, size) for model in MODELS for size in (32, 128, 512)),
}
# Knobs of each way to train; the naive one, which has none, comes first.
WAYS: dict[str, dict[str, Any]] = {
    "naive": {},
    "float32": {},
    "float32 channels_last": {"memory_format": "channels_last"},
    "bfloat16": {"precision": "bfloat16"},
    "bfloat16 channels_last": {"precision": "bfloat16", "memory_format": "channels_last"},
}
GPU_WAYS: dict[str, dict[str, Any]] = {
    "float32, each kernel launched": {"cuda_graph": False},
    "bfloat16 channels_last, each kernel launched": {**WAYS["bfloat16 channels_last"], "cuda_graph": False},
}

log = logging.getLogger(__name__)


def bench(
    models: list[str],
    rounds: int,
    seconds: float,
    threads: int,
    device: str,
    output: Path,
    profiled: bool = False,
) -> None:
    """Time every case in every way, print the ratios and write them as JSON; `profiled`, also where the time
    of the fastest way goes."""

    def time_alone(way: str, model: str, batch_size: int, *more: str) -> dict[str, Any]:
        return run_alone(way, model, batch_size, threads, seconds, device, *more)

    ways = [*WAYS, *(GPU_WAYS if device == "cuda" else {})]
    peaks = {name: time_alone("peak", name, 0)["flops"] for name in ("float32", "bfloat16")}
    rows = []
    for model, batch_size in CASES[device]:
        if model not in models:
            continue
        times: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                times[way].append(time_alone(way, model, batch_size))
        case = [summarise(model, batch_size, way, times, peaks) for way in ways]
        for row in case:
            log.info(line(row))
        if profiled:
            add_profile(max(case, key=lambda row: row["ratio"]), time_alone)
        rows += case
    told = {"device": device, "threads": threads, "rounds": rounds, "peak_flops": peaks, "rows": rows}
    write_text(output, json.dumps(told, indent=1) + "\n")


def add_profile(row: dict[str, Any], time_alone: Callable[..., dict[str, Any]]) -> None:
    """Tell where the time of a way goes."""
    row["profile"] = time_alone(row["way"], row["model"], row["batch_size"], "profile")["profile"]
    shares = ", ".join(f"{kind} {100 * share:.0f} %" for kind, share in row["profile"].items())
    log.info("  %s: %s", row["way"], shares)


def summarise(
    model: str, batch_size: int, way: str, times: dict[str, list[dict[str, Any]]], peaks: dict[str, float]
) -> dict[str, Any]:
    pairs = zip(times[way], times["naive"], strict=True)
    ratios = sorted(one["images_per_second"] / naive["images_per_second"] for one, naive in pairs)
    quartiles = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    rate = statistics.median(one["flops"] for one in times[way])
    return {
        "model": model,
        "batch_size": batch_size,
        "way": way,
        "images_per_second": statistics.median(one["images_per_second"] for one in times[way]),
        "ratio": statistics.median(ratios),
        "ratio_quartiles": [quartiles[0], quartiles[2]],
        "flops": rate,
        "share_of_peak": rate / peaks["bfloat16" if "bfloat16" in way else "float32"],
        "peak_memory_bytes": max(one["peak_memory_bytes"] for one in times[way]),
    }


def line(row: dict[str, Any]) -> str:
    low, high = row["ratio_quartiles"]
    return (
        f"{row['model']:<12} batch {row['batch_size']:>4}  {row['way']:<44} "
        f"{row['images_per_second']:>9,.0f} images/s  {EPOCH / row['images_per_second']:>6.1f} s/epoch  "
        f"{row['ratio']:5.2f} x naive ({low:.2f} to {high:.2f})  "
        f"{row['flops'] / 1e9:>7,.0f} GFLOP/s ({100 * row['share_of_peak']:.0f} % of the peak)  "
        f"{row['peak_memory_bytes'] / 2**20:,.0f} MiB"
    )


def run_alone(
    way: str, model: str, batch_size: int, threads: int, seconds: float, device: str, *more: str
) -> dict[str, Any]:
    """Time one way in a fresh process and return what it printed."""
    about = (way, model, str(batch_size), str(threads), str(seconds), device, *more)
    call = [sys.executable, "-m", __name__, *about]
    done = subprocess.run(call, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def config_for(model: str, batch_size: int, way: str) -> TrainConfig:
    return TrainConfig(
        dataset="bench",
        model=model,
        batch_size=batch_size,
        flip=True,
        crop_padding=4,
        optimizer="sgd",
        momentum=0.9,
        learning_rate=0.01,
        epochs=10**6,
        validation_images=0,
        **(WAYS | GPU_WAYS)[way],
    )


def main() -> None:
    """Time one way, as `run_alone` asks, and print the figures as JSON."""
    import torch

    from cifarbench.models.build import build_model
    from cifarbench.models.measure import count_flops
    from cifarbench.training.cuda_graph import leave_default_stream
    from cifarbench.training.device import peak_memory_bytes, prepare_torch, reset_peak_memory

    way, model, batch_size, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    device = torch.device(sys.argv[6])
    if way == "peak":
        torch.set_num_threads(threads)
        print(json.dumps({"flops": peak_rate(model, device)}))
        return
    config = config_for(model, batch_size, way)
    torch.set_num_threads(threads)
    reset_peak_memory(device)
    if way != "naive":
        prepare_torch(config, device, threads)
        leave_default_stream(device)
    net = build_model(config, 10)
    flops = 3 * count_flops(net)
    net.to(device)
    with tempfile.TemporaryDirectory() as folder:  # gigabytes, which the process would leave behind
        ours = way != "naive"
        step = our_steps(net, config, device, Path(folder)) if ours else naive_steps(net, batch_size, device)
        rate = images_per_second(step, float(sys.argv[5]), device)
        told = {"profile": profile(step, device)} if "profile" in sys.argv[7:] else {}
    figures = {
        "images_per_second": rate,
        "flops": rate * flops,
        "peak_memory_bytes": peak_memory_bytes(device),
        **told,
    }
    print(json.dumps(figures))


def images_per_second(step: Any, seconds: float, device: Any) -> float:
    """Return images per second, after three steps; `step()` returns how many images it trained on."""
    from cifarbench.training.device import synchronise

    for _ in range(3):
        step()
    synchronise(device)
    at_once = 1 if device.type == "cpu" else 20  # steps between two looks at the clock
    images, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        images += sum(step() for _ in range(at_once))
        synchronise(device)
    return images / elapsed


if __name__ == "__main__":
    main()
