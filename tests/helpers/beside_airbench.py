"""Time the study `fast` beside the program that it follows.

    python tests/helpers/beside_airbench.py airbench94_muon.py IMAGES

The program is that of https://github.com/KellerJordan/cifar10-airbench, IMAGES a folder that `cifarbench
normalise` wrote, such as one with `--subset train=10000,test=2000`. It is changed as little as a processor
asks for: no CUDA, no compiling, weights in float32 and arithmetic in bfloat16 by autocast. Both train in
turn, each in a process of its own; what counts is the ratio of images per second within a round.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from cifarbench.config.benchmark import parse
from cifarbench.config.flags import flags
from cifarbench.config.reading import read
from cifarbench.plan.grid import expand_study

REPOSITORY = Path(__file__).parents[2]
EPOCHS = 8
CLOCK = """
import time
class Moment:
    def __init__(self, enable_timing): pass
    def record(self): self.at = time.perf_counter()
    def elapsed_time(self, end): return 1e3 * (end.at - self.at)
"""
# What stands in the program, and what takes its place. Each must be there.
CHANGES = {
    "import torch\n": "import torch\n" + CLOCK,
    "@torch.compile\n": "",
    'torch.device("cuda")': 'torch.device("cpu")',
    "images.half()": "images.float()",
    "mod.half()": "mod.float()",
    "torch.cuda.Event": "Moment",
    "torch.cuda.synchronize()": "pass",
    "CifarNet().cuda()": "CifarNet()",
    'model.compile(mode="max-autotune")': "torch.set_num_threads(int(sys.argv[1]))",
    'main("warmup", model)': ('with torch.autocast("cpu", torch.bfloat16): main(0, model)\n    sys.exit()'),
    "print_training_details(locals(), is_final_entry=False)": 'print("seconds", time_seconds, val_acc)',
}


def ported(program: Path) -> str:
    text = program.read_text()
    for old, new in CHANGES.items():
        if old not in text:
            raise SystemExit(f"{program}: has no {old!r}; this is written for airbench94_muon.py of 2024-11")
        text = text.replace(old, new)
    return text


def write_images(folder: Path, to: Path) -> int:
    """Write the images as the program keeps them, and return how many it trains on in an epoch."""
    arrays = load_file(folder / "images.safetensors")
    for part in ("train", "test"):
        images = arrays[f"{part}_images"].permute(0, 2, 3, 1).contiguous()
        labels = arrays[f"{part}_labels"].long()
        torch.save({"images": images, "labels": labels, "classes": []}, to / f"{part}.pt")
    return len(arrays["train_labels"]) // 2000 * 2000


def theirs(script: Path, threads: int, images: int) -> float:
    """Return the images per second of a training by the program; its time takes in the whitening."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    call = [sys.executable, script.name, str(threads)]
    said = subprocess.run(
        call, cwd=script.parent, env=environment, check=True, capture_output=True, text=True
    )
    *_, last = (line for line in said.stdout.splitlines() if line.startswith("seconds"))
    print("  theirs:", last)
    return EPOCHS * images / float(last.split()[1])


def ours(folder: Path, threads: int, images: int) -> float:
    config = parse(read(REPOSITORY / "config.yaml"))
    fast = next(study for study in config.studies if study.name == "fast")
    run, _ = expand_study(config, fast)[0]
    with tempfile.TemporaryDirectory() as output:
        call = [
            "train",
            *flags(run.config),
            "--data",
            str(folder),
            "--output",
            output,
            "--threads",
            str(threads),
        ]
        subprocess.run([sys.executable, "-m", "cifarbench", *call], check=True, capture_output=True)
        record = json.loads((Path(output) / "metrics.json").read_text())
    print("  ours:", record["seconds"], record["final"]["test"]["top1"])
    return EPOCHS * images / record["seconds"]["train"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "cifar10").mkdir()
        script = Path(folder) / "program.py"
        script.write_text(ported(args.program))
        images = write_images(args.images, script.parent / "cifar10")
        ratios = []
        for _ in range(args.rounds):
            original = theirs(script, args.threads, images)
            own = ours(args.images, args.threads, images)
            ratios.append(own / original)
            print(f"{own:.0f} against {original:.0f} images/s: {ratios[-1]:.2f}")
    print(f"median of {args.rounds} rounds, {args.threads} threads: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
