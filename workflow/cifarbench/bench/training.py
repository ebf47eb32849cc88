"""How fast we train beside the way most people write it: `cifarbench bench --output results/bench.json`.

The naive way, written here as a reference: a torchvision data set of PIL images, transforms image by image,
a DataLoader with two workers, float32, and `.item()` at every step. Both ways train the same model on the
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
from pathlib import Path
from typing import Any

from cifarbench.bench.peak import peak_rate
from cifarbench.bench.profile import profile
from cifarbench.config.knobs import TrainConfig
from cifarbench.files import sha256_of, write_text

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
EPOCH = 50_000  # images
IMAGES = {"cpu": 5000, "cuda": EPOCH}

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
        rows += [summarise(model, batch_size, way, times, peaks) for way in ways]
        for row in rows[-len(ways) :]:
            log.info(line(row))
        if profiled:
            fastest = max(rows[-len(ways) :], key=lambda row: row["ratio"])
            told = time_alone(fastest["way"], model, batch_size, "profile")["profile"]
            fastest["profile"] = told
            log.info("  %s: %s", fastest["way"], ", ".join(f"{k} {100 * v:.0f} %" for k, v in told.items()))
    result = {
        "device": device,
        "threads": threads,
        "rounds": rounds,
        "peak_flops": peaks,
        "rows": rows,
    }
    write_text(output, json.dumps(result, indent=1) + "\n")


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


def random_images(device: Any) -> Any:
    import numpy as np

    random, count = np.random.default_rng(0), IMAGES[device.type]
    return random.integers(0, 256, (count, 32, 32, 3), np.uint8), random.integers(0, 10, count)


def naive_steps(net: Any, batch_size: int, device: Any) -> Any:
    """Return a step of the naive way."""
    import torch
    from PIL import Image
    from torchvision import transforms

    pixels, labels = random_images(device)
    transform = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop(32, padding=4),
            transforms.ToTensor(),
            transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
        ]
    )

    class Pictures(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return transform(Image.fromarray(pixels[index])), int(labels[index])

    loader = torch.utils.data.DataLoader(Pictures(), batch_size, shuffle=True, num_workers=2)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    net.train()
    running: list[float] = []

    def batches() -> Any:
        while True:
            yield from loader

    feed = batches()

    def step() -> int:
        images, targets = (tensor.to(device) for tensor in next(feed))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
        running.append(loss.item())
        return len(targets)

    return step


def our_steps(net: Any, config: TrainConfig, device: Any, folder: Path) -> Any:
    """Return a step of the engine, with the data set from a file in `folder`, as in a real run."""
    import torch
    from safetensors.numpy import save_file

    from cifarbench.data.loading import load
    from cifarbench.data.manifest import IMAGES as IMAGES_FILE
    from cifarbench.data.manifest import MANIFEST, Manifest
    from cifarbench.training.engine import Engine

    pixels, labels = random_images(device)
    images = pixels.transpose(0, 3, 1, 2).copy()
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    save_file(parts, folder / IMAGES_FILE)
    manifest = Manifest(
        name="bench",
        format="folder",
        source_sha256="",
        images_sha256=sha256_of(folder / IMAGES_FILE),
        classes=list("0123456789"),
        train_images=[0] * 10,
        test_images=[0] * 10,
        test_was_drawn=False,
        mean=[0.4914, 0.4822, 0.4465],
        std=[0.2470, 0.2435, 0.2616],
    )
    write_text(folder / MANIFEST, manifest.model_dump_json())
    engine = Engine(config, load(folder, config, device), net.train(), device)
    engine.warm_up()

    def feed() -> Any:
        while True:
            order = torch.randperm(len(labels), generator=engine.order_stream)
            yield from order.to(device).split(config.batch_size)

    positions = feed()

    def step() -> int:
        chosen = next(positions)
        engine.step(chosen)
        return len(chosen)

    return step


if __name__ == "__main__":
    main()
