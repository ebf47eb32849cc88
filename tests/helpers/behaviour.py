"""Changes of how a configuration trains, small ones, and the machine's ways to round it otherwise.

`python tests/helpers/behaviour.py --output results/bench-fingerprint.json` measures on every model how far
rounding moves the figures of a fingerprint, and how far, at least, any of the changes does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from cifarbench.cli.parser import main as cifarbench
from cifarbench.config.knobs import MODEL_KNOBS, TrainConfig
from cifarbench.data.loading import load
from cifarbench.models.catalogue import BUILTIN_MODELS, model_knobs
from cifarbench.records.fingerprint import TOLERANCE, figures
from cifarbench.records.record import Fingerprint
from cifarbench.training.fingerprint import fingerprint
from cifarbench.training.torch_internals import keep_compiler_out

Knobs = dict[str, Any]

SGD: Knobs = {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4}
MUON: Knobs = {"optimizer": "muon", "learning_rate": 0.02, "momentum": 0.9}
STABLE: Knobs = {"schedule": "warmup_stable_decay"}
STEPS: Knobs = {"schedule": "multistep", "milestones": [6, 8]}
# What is changed, and from what: knobs, as a slip in the code that reads them would.
CHANGES: dict[str, tuple[Knobs, Knobs]] = {
    "epsilon of Adam": ({}, {"optimizer_eps": 1.1e-8}),
    "place of Adam's epsilon": ({}, {"eps_beside": "uncorrected"}),
    "epsilon of AdamW": ({"optimizer": "adamw"}, {"optimizer_eps": 1.1e-8}),
    "epsilon of Adagrad": ({"optimizer": "adagrad", "conventions": "keras"}, {"optimizer_eps": 1.1e-7}),
    "epsilon of RMSprop": ({"optimizer": "rmsprop"}, {"optimizer_eps": 1.1e-8}),
    "epsilon of Adadelta": ({"optimizer": "adadelta"}, {"optimizer_eps": 1.1e-6}),
    "rho": ({"optimizer": "rmsprop"}, {"rho": 0.9901}),
    "initial accumulator": (
        {"optimizer": "adagrad", "conventions": "keras"},
        {"initial_accumulator": 0.1001},
    ),
    "rate of biases": ({}, {"bias_rate": 1.001}),
    "rate of norms": ({"model": "resnet9", "width": 0.125}, {"norm_rate": 1.001}),
    "rate of the first layer": ({}, {"first_layer_rate": 1.001}),
    "rate of the last layer": ({}, {"last_layer_rate": 1.001}),
    "momentum": (SGD, {"momentum": 0.9001}),
    "momentum of Muon": (MUON, {"momentum": 0.9001}),
    "rest of Muon": (MUON, {"muon_rest": "sgd"}),
    "length in Muon": (MUON, {"muon_norm": "fixed"}),
    "Nesterov": (SGD, {"nesterov": True}),
    "weight decay": (SGD, {"weight_decay": 5.01e-4}),
    "weight decay of AdamW": ({"optimizer": "adamw", "weight_decay": 0.01}, {"weight_decay": 0.0101}),
    "what decays": (SGD, {"decay_on": "matrices"}),
    "clipped gradient": ({"gradient_clip": 0.1}, {"gradient_clip": 0.1001}),
    "averaged weights": ({"ema_decay": 0.9}, {"ema_decay": 0.9001}),
    "optimizer": ({}, {"optimizer": "adamw", "weight_decay": 0.01}),
    "L2 of the last layer": ({"last_layer_l2": 1e-4}, {"last_layer_l2": 1.01e-4}),
    "initial weights": ({}, {"initialization": "glorot_uniform"}),
    "whitening": ({"model": "airbench94", "width": 0.1}, {"whitening": True}),
    "layers that train": ({}, {"freeze": "backbone"}),
    "size of images": ({}, {"image_size": 40}),
    "conventions": ({}, {"conventions": "keras"}),
    "activation": ({}, {"activation": "leaky_relu"}),
    "activation of convolutions": ({"model": "lenet5"}, {"conv_activation": False}),
    "width": ({}, {"width": 1.5}),
    "loss": ({"loss": "mean_squared_error"}, {"loss": "binary_cross_entropy"}),
    "label smoothing": ({"label_smoothing": 0.1}, {"label_smoothing": 0.1001}),
    "mirroring": ({}, {"flip": True}),
    "turns of mirroring": ({"flip": True}, {"flip": "alternating"}),
    "shifts": ({"crop_padding": 4}, {"crop_padding": 3}),
    "border of shifts": ({"crop_padding": 4}, {"crop_border": "reflect"}),
    "colour jitter": ({"color_jitter": 0.4}, {"color_jitter": 0.5}),
    "level of RandAugment": ({"rand_augment": 9}, {"rand_augment": 12}),
    "operations of RandAugment": ({"rand_augment": 9}, {"rand_augment_operations": 3}),
    "TrivialAugment": ({}, {"trivial_augment": True}),
    "cutout": ({"cutout": 8}, {"cutout": 7}),
    "random erasing": ({"random_erasing": 0.5}, {"random_erasing": 1.0}),
    "mixup": ({"mixup": 0.2}, {"mixup": 0.201}),
    "cutmix": ({"cutmix": 1.0}, {"cutmix": 1.1}),
    "scaling": ({"scaling": "unit"}, {"scaling": "symmetric"}),
    "denoising": ({"denoise": "gaussian"}, {"denoise": "median"}),
    "views": ({}, {"test_time_augmentation": "mirror"}),
    "images held out": ({}, {"data_seed": 1}),
    "number held out": ({}, {"validation_images": 300}),
    "learning rate": ({}, {"learning_rate": 0.0010001}),
    "warm-up": ({"warmup_epochs": 1.0}, {"warmup_epochs": 1.1}),
    "factor of a step schedule": (STEPS, {"gamma": 0.1001}),
    "milestone": (STEPS, {"milestones": [6, 9]}),
    "length": ({"schedule": "cosine"}, {"epochs": 11}),
    "batch": ({"schedule": "cosine"}, {"batch_size": 100}),
    "last batch": ({}, {"last_batch": "drop"}),
    "share of the fall": (STABLE, {"decay_share": 0.21}),
    "schedule": ({"schedule": "cosine"}, {"schedule": "one_cycle"}),
    "dropout": ({"model": "alexnet8", "width": 0.125}, {"dropout": 0.501}),
    "momentum of BatchNorm": ({"model": "resnet9", "width": 0.125}, {"batch_norm_momentum": 0.1001}),
    "epsilon of BatchNorm": ({"model": "resnet9", "width": 0.125}, {"batch_norm_eps": 1.01e-5}),
    "frozen BatchNorm": ({"model": "inception10", "width": 0.25}, {"batch_norm": "frozen"}),
}
# Knobs that a fingerprint leaves out: seeds of which it has its own, how a step is computed, which epoch is
# the last or is kept; and those that no model here has, or that the model's own file decides.
LEFT_OUT = (
    *("dataset", "model", "seed", "weights_seed", "order_seed", "report_epoch", "early_stop"),
    *("precision", "memory_format", "compile", "cuda_graph", "deterministic", "device"),
    *(
        "depth",
        "classifier",
        "stem",
        "model_args",
        "initial_weights",
        "initial_weights_sha256",
        "extra_tests",
    ),
)
# Ways of one machine to round otherwise: what its environment says, threads, and layout.
LESS = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
ROUNDING: dict[str, tuple[dict[str, str], int, str]] = {
    "two threads": ({"OMP_WAIT_POLICY": "passive"}, 2, "contiguous"),  # waiting costs less
    "channels_last": ({}, 1, "channels_last"),
    "AVX2": (AVX2, 1, "contiguous"),
    "no vectors": (LESS, 1, "contiguous"),
}
TYPICAL: Knobs = {**SGD, "flip": True, "crop_padding": 4, "cutout": 8}


def of(knobs: Knobs, digits: Path) -> Fingerprint:
    """Return the fingerprint on digits of the run of some knobs."""
    config = TrainConfig(**{"dataset": "digits", "validation_images": 200, **knobs})
    return fingerprint(config, load(digits, config, torch.device("cpu")), None)


def distance(one: Fingerprint, other: Fingerprint) -> float:
    """Return the largest relative difference between figures."""
    pairs = zip(figures(one), figures(other), strict=True)
    numbers = [(a or 0.0, b or 0.0) for (_, a), (_, b) in pairs]
    return max(abs(a - b) / max(abs(a), abs(b), 1e-300) for a, b in numbers)


def elsewhere(many: list[Knobs], digits: Path, way: str) -> list[Fingerprint]:
    """Return fingerprints as a process that rounds otherwise computes them."""
    environment, threads, layout = ROUNDING[way]
    call = [sys.executable, __file__, "--knobs", json.dumps([{**k, "memory_format": layout} for k in many])]
    call += ["--digits", str(digits), "--threads", str(threads)]
    done = subprocess.run(call, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return [Fingerprint.model_validate(found) for found in json.loads(done.stdout)]


def applicable(model: str) -> dict[str, tuple[Knobs, Knobs]]:
    """Return the changes that this model knows, and none that is another's."""
    own = model_knobs(BUILTIN_MODELS[model])
    return {
        name: (before, after)
        for name, (before, after) in CHANGES.items()
        if before.get("model", model) == model and (own.keys() >= after.keys() & {*MODEL_KNOBS})
    }


def rounded(model: str, digits: Path, way: str) -> float:
    """Return how far a way to round otherwise moves the figures.

    Without dropout, which draws in the order of memory, so that another layout is another draw.
    """
    knobs: Knobs = {**TYPICAL, "model": model}
    if "dropout" in model_knobs(BUILTIN_MODELS[model]):
        knobs["dropout"] = 0.0
    (found,) = elsewhere([knobs], digits, way)
    return distance(of(knobs, digits), found)


def full_width(knobs: Knobs) -> float | None:
    """Return the width of a change of the width; what the tests narrow is measured as it is."""
    return knobs.get("width") if knobs.get("width", 0) > 1 else None


def measure(model: str, digits: Path) -> dict[str, Any]:
    """Return how far rounding and the changes move the figures of a model at its full width."""
    start = time.process_time()
    of({**TYPICAL, "model": model}, digits)
    seconds = time.process_time() - start
    rounding = {way: rounded(model, digits, way) for way in ROUNDING}
    known: dict[str, Fingerprint] = {}

    def fingerprint_of(knobs: Knobs) -> Fingerprint:
        key = json.dumps(knobs, sort_keys=True)
        return known.setdefault(
            key, known.get(key) or of({**knobs, "model": model, "width": full_width(knobs)}, digits)
        )

    changes = {
        name: distance(fingerprint_of(before), fingerprint_of({**before, **after}))
        for name, (before, after) in applicable(model).items()
    }
    smallest = min(changes, key=lambda name: changes[name])
    return {
        "model": model,
        "seconds": seconds,
        "rounding": max(rounding.values()),
        "changed least": smallest,
        "by": changes[smallest],
        "all": {**rounding, **changes},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=BUILTIN_MODELS, default=list(BUILTIN_MODELS))
    parser.add_argument("--output", type=Path)
    parser.add_argument("--knobs", type=json.loads, help="only print the fingerprints of these")
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    keep_compiler_out()
    torch.set_num_threads(args.threads)
    if args.knobs:
        print(json.dumps([of(knobs, args.digits).model_dump() for knobs in args.knobs]))
        return
    with tempfile.TemporaryDirectory() as folder:
        digits = Path(folder, "digits")
        cifarbench(["normalise", "--name", "digits", "--format", "digits", "--output", str(digits)])
        found = []
        for model in args.models:
            found.append(measure(model, digits))
            print(
                "{model:12} {seconds:5.1f} s  rounding {rounding:.0e}  {changed least} {by:.0e}".format(
                    **found[-1]
                ),
                flush=True,
            )
    print(f"A difference above {TOLERANCE:.0e} counts.")
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
