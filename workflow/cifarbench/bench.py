"""How fast we train beside the way most people write it: `cifarbench bench --output results/bench.json`.

The naive way, written here as a reference: a torchvision data set of PIL images, transforms image by image,
a DataLoader with two workers, float32, and `.item()` at every step. Both ways train the same model on the
same images with the same augmentation, in turn, several rounds, each in a process of its own; what counts
is the ratio of images per second within a round.
"""

import json
import logging
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .errors import UserError
from .files import write_text
from .knobs import TrainConfig

# What is timed: (model, batch size).
CASES = (
    ("lenet5", 128),
    ("lenet5", 32),
    ("baseline", 128),
    ("alexnet8", 128),
    ("inception10", 128),
    ("vgg16", 128),
    ("resnet18", 128),
)
WAYS = ("naive", "float32", "float32 channels_last", "bfloat16", "bfloat16 channels_last")
IMAGES = 5000

log = logging.getLogger(__name__)


def bench(models: list[str], rounds: int, seconds: float, threads: int, output: Path) -> None:
    """Time every case in every way, print the ratios and write them as JSON."""
    ceilings = {name: run_alone("matmul", name, 0, threads, 0)["flops"] for name in ("float32", "bfloat16")}
    rows = []
    for model, batch_size in CASES:
        if model not in models:
            continue
        times: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                times[way].append(run_alone(way, model, batch_size, threads, seconds))
        rows += [summarise(model, batch_size, way, times, ceilings) for way in WAYS]
        for row in rows[-len(WAYS) :]:
            log.info(line(row))
    result = {"threads": threads, "rounds": rounds, "matmul_flops": ceilings, "rows": rows}
    write_text(output, json.dumps(result, indent=1) + "\n")


def read_speed(path: Path) -> dict[str, Any]:
    """Read what `bench` wrote."""
    try:
        figures: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read: {error}; remove it, or make it again with `make bench`"
        ) from None
    return figures


def summarise(
    model: str, batch_size: int, way: str, times: dict[str, list[dict[str, Any]]], ceilings: dict[str, float]
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
        "share_of_matmul_rate": rate / ceilings["bfloat16" if "bfloat16" in way else "float32"],
        "peak_memory_bytes": max(one["peak_memory_bytes"] for one in times[way]),
    }


def line(row: dict[str, Any]) -> str:
    low, high = row["ratio_quartiles"]
    return (
        f"{row['model']:<12} batch {row['batch_size']:>4}  {row['way']:<22} "
        f"{row['images_per_second']:>9,.0f} images/s  {row['ratio']:5.2f} x naive ({low:.2f} to {high:.2f})  "
        f"{row['flops'] / 1e9:>7,.0f} GFLOP/s ({100 * row['share_of_matmul_rate']:.0f} % of matrix product)  "
        f"{row['peak_memory_bytes'] / 2**20:,.0f} MiB"
    )


def run_alone(way: str, model: str, batch_size: int, threads: int, seconds: float) -> dict[str, Any]:
    """Time one way in a fresh process and return what it printed."""
    call = [sys.executable, "-m", __name__, way, model, str(batch_size), str(threads), str(seconds)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def config_for(model: str, batch_size: int, way: str) -> TrainConfig:
    precision, memory_format = (*way.split(), "contiguous")[:2]
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
        precision=precision,
        memory_format=memory_format,
    )


def main() -> None:
    """Time one way, as `run_alone` asks, and print the figures as JSON."""
    import torch

    way, model, batch_size, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    if way == "matmul":
        print(json.dumps({"flops": matmul_rate(model)}))
        return
    from .models import build_model, count_flops

    net = build_model(config_for(model, batch_size, "float32"), 10)
    flops = 3 * count_flops(net)
    step = naive_steps(net, batch_size) if way == "naive" else our_steps(net, model, batch_size, way)
    rate = timed(step, float(sys.argv[5]))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = {"images_per_second": rate, "flops": rate * flops, "peak_memory_bytes": memory}
    print(json.dumps(figures))


def timed(step: Any, seconds: float) -> float:
    """Return images per second, after three steps; `step()` returns how many images it trained on."""
    for _ in range(3):
        step()
    images, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        images += step()
    return images / elapsed


def matmul_rate(precision: str) -> float:
    """Return floating-point operations per second of a square matrix product, the best of twenty."""
    import torch

    size, dtype = 2048, getattr(torch, precision)
    a, b = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    best = 0.0
    for _ in range(20):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * size**3 / (time.perf_counter() - start))
    return best


def random_images() -> Any:
    import numpy as np

    random = np.random.default_rng(0)
    return random.integers(0, 256, (IMAGES, 32, 32, 3), np.uint8), random.integers(0, 10, IMAGES)


def naive_steps(net: Any, batch_size: int) -> Any:
    """Return a step of the naive way."""
    import torch
    from PIL import Image
    from torchvision import transforms

    pixels, labels = random_images()
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
        images, targets = next(feed)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
        running.append(loss.item())
        return len(targets)

    return step


def our_steps(net: Any, model: str, batch_size: int, way: str) -> Any:
    """Return a step of the engine, with the data set from a file as in a real run."""
    import torch
    from safetensors.numpy import save_file

    from .data import load
    from .engine import Engine
    from .manifest import IMAGES as IMAGES_FILE
    from .manifest import MANIFEST, Manifest
    from .train import keep_compiler_out

    keep_compiler_out()
    pixels, labels = random_images()
    images = pixels.transpose(0, 3, 1, 2).copy()
    folder = Path(tempfile.mkdtemp())
    parts = {"train_images": images, "train_labels": labels, "test_images": images, "test_labels": labels}
    save_file(parts, folder / IMAGES_FILE)
    manifest = Manifest(
        name="bench",
        format="folder",
        source_sha256="",
        images_sha256="",
        classes=list("0123456789"),
        train_images=[],
        test_images=[],
        test_was_drawn=False,
        mean=[0.4914, 0.4822, 0.4465],
        std=[0.2470, 0.2435, 0.2616],
    )
    write_text(folder / MANIFEST, manifest.model_dump_json())
    device = torch.device("cpu")
    config = config_for(model, batch_size, way)
    engine = Engine(config, load(folder, config, device), net.train(), device)

    def feed() -> Any:
        while True:
            yield from torch.randperm(IMAGES, generator=engine.generators["order"]).split(batch_size)

    positions = feed()

    def step() -> int:
        chosen = next(positions)
        engine.step(chosen)
        return len(chosen)

    return step


if __name__ == "__main__":
    main()
