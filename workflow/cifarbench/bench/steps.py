"""A step of training, the naive way and ours, on images drawn at random.

torch is imported within, since `cifarbench bench --help` needs none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cifarbench.config.knobs import TrainConfig
from cifarbench.files import sha256_of, write_text

EPOCH = 50_000  # images
IMAGES = {"cpu": 5000, "cuda": EPOCH}


def random_images(device: Any) -> Any:
    import numpy as np

    random, count = np.random.default_rng(0), IMAGES[device.type]
    return random.integers(0, 256, (count, 32, 32, 3), np.uint8), random.integers(0, 10, count)


def naive_steps(net: Any, batch_size: int, device: Any) -> Any:
    """Return a step of the naive way."""
    import torch

    feed = batches(batch_size, device)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    net.train()
    running: list[float] = []

    def step() -> int:
        images, targets = (tensor.to(device) for tensor in next(feed))
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(images), targets)
        loss.backward()
        optimizer.step()
        running.append(loss.item())
        return len(targets)

    return step


def batches(batch_size: int, device: Any) -> Iterator[Any]:
    """Yield batches for ever as most people load them."""
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
    while True:
        yield from loader


def our_steps(net: Any, config: TrainConfig, device: Any, folder: Path) -> Any:
    """Return a step of the engine, with the data set from a file in `folder`, as in a real run."""
    import torch

    from cifarbench.data.loading import load
    from cifarbench.training.engine import Engine

    write_data(device, folder)
    engine = Engine(config, load(folder, config, device), net.train(), device)
    engine.warm_up()

    def feed() -> Any:
        while True:
            order = torch.randperm(IMAGES[device.type], generator=engine.order_stream)
            yield from order.to(device).split(config.batch_size)

    positions = feed()

    def step() -> int:
        chosen = next(positions)
        engine.step(chosen)
        return len(chosen)

    return step


def write_data(device: Any, folder: Path) -> None:
    """Write the images as a normalised data set."""
    from safetensors.numpy import save_file

    from cifarbench.data.manifest import IMAGES as IMAGES_FILE
    from cifarbench.data.manifest import MANIFEST, Manifest

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
