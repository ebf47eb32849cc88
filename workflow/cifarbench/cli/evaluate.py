"""Measure weights that were trained elsewhere.

example: cifarbench evaluate --weights theirs.pt --model resnet18 --data data/cifar10
"""

import argparse
from pathlib import Path

from cifarbench.cli.arguments import a_file, a_folder, output_folder
from cifarbench.config.flags import add_knobs, chosen_knobs
from cifarbench.config.knobs import MODEL_KNOBS, TrainConfig
from cifarbench.plan.grid import config_of

# The knobs that decide what a trained network answers.
OF_IMAGES = ("scaling", "denoise", "image_size")
OF_BATCH_NORM = ("conventions", "batch_norm", "batch_norm_eps")
DECISIVE = ("model", *MODEL_KNOBS, *OF_BATCH_NORM, *OF_IMAGES, "loss")


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--weights", type=a_file, required=True, help="safetensors, or a state dict that torch.save wrote"
    )
    verb.add_argument(
        "--data", type=a_folder, default=Path("data/cifar10"), help="folder that `normalise` wrote"
    )
    verb.add_argument("--mapping", type=a_file, help="YAML file: their name of a weight: ours")
    verb.add_argument("--model-file", type=a_file, help="Python file of a model of your own")
    verb.add_argument(
        "--output",
        type=output_folder,
        help="folder to write (default: results/evaluated/ and the name of the file)",
    )
    add_knobs(verb, without=tuple(name for name in TrainConfig.model_fields if name not in DECISIVE))


def run(args: argparse.Namespace) -> None:
    from cifarbench.data.manifest import read_manifest

    dataset = read_manifest(args.data).name
    config = config_of({**chosen_knobs(args), "dataset": dataset, "validation_images": 0}, args.model_file)
    output = args.output or Path("results/evaluated", args.weights.stem)
    from cifarbench.use.card import accuracy_in_words
    from cifarbench.use.foreign import evaluate_weights

    found = evaluate_weights(args.weights, config, args.data, output, args.mapping, args.model_file)
    loss = "not finite" if found.test.loss is None else f"{found.test.loss:.3f}"
    print(
        f"{found.name}: test accuracy {accuracy_in_words(found.test)}, 95 % interval for "
        f"n = {found.test.images}; loss {loss}; written to {output}"
    )
