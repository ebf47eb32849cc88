"""The card of a trained model, in Markdown with the header of the Hugging Face hub, from the record alone."""

from typing import Any

import yaml

from cifarbench.config.ids import format_value
from cifarbench.data.catalogue import CATALOGUE
from cifarbench.records.record import Evaluation, Record
from cifarbench.words import count, duration

LEVEL = 0.95


def accuracy_interval(evaluation: Evaluation) -> tuple[float, float]:
    """Return the interval of an accuracy for the number of test images (Wilson, 1927)."""
    from scipy.stats import binomtest

    right = round(evaluation.top1 * evaluation.images)
    interval = binomtest(right, evaluation.images).proportion_ci(LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def accuracy_in_words(evaluation: Evaluation) -> str:
    low, high = accuracy_interval(evaluation)
    return f"{evaluation.top1:.1%} ({low:.1%} to {high:.1%})"


def card(record: Record, onnx_difference: float, checked_images: int) -> str:
    header = yaml.safe_dump(hub_header(record), sort_keys=False, allow_unicode=True)
    checked = f"On {checked_images} test images ONNX's logits are within {onnx_difference:.1e} of PyTorch's."
    parts = [
        f"---\n{header}---",
        f"# {record.config.model} on {record.data.name}",
        f"Run `{record.run}`, finished {record.finished}, trained with cifarbench {record.code.version}.",
        "## How good",
        how_good(record),
        "## How trained",
        how_trained(record),
        "## Data",
        data(record),
        "## Limits",
        limits(record),
        "## How to load",
        HOW_TO_LOAD.replace("SIDE", str(record.data.image_size)),
        checked,
    ]
    return "\n\n".join(parts) + "\n"


def hub_header(record: Record) -> dict[str, Any]:
    test = record.final.test
    result = {
        "task": {"type": "image-classification"},
        "dataset": {"type": record.data.name, "name": record.data.name},
        "metrics": [{"type": "accuracy", "value": test.top1, "name": f"test accuracy, n = {test.images}"}],
    }
    return {
        "pipeline_tag": "image-classification",
        "library_name": "pytorch",
        "tags": ["image-classification", "onnx", "cifarbench", record.config.model],
        "datasets": [record.data.name],
        "metrics": ["accuracy"],
        "model-index": [{"name": record.run, "results": [result]}],
    }


def how_good(record: Record) -> str:
    test, chosen = record.final.test, record.final.chosen_by.replace("_", " ")
    rows = [
        f"| {name} | {'–' if share is None else f'{share:.1%}'} |"
        for name, share in zip(record.data.classes, test.per_class_accuracy, strict=True)
    ]
    loss = "not finite" if test.loss is None else f"{test.loss:.3f}"
    lines = [
        f"Test accuracy {accuracy_in_words(test)}, 95 % interval for n = {test.images} test images; "
        f"top 5 {test.top5:.1%}; loss {loss}. Weights of epoch {record.final.epoch} ({chosen}). "
        "One seed: another gives other weights and a somewhat other accuracy.",
        "\n".join(["| class | accuracy |", "|---|---|", *rows]),
    ]
    return "\n\n".join(lines)


def how_trained(record: Record) -> str:
    changed = ", ".join(f"{name} {format_value(value)}" for name, value in record.config.changed().items())
    return (
        f"{count(record.data.train_images, 'image')}, {count(len(record.epochs), 'epoch')}, "
        f"{duration(record.seconds.train)} of training on {record.environment.device_name}; "
        f"{count(record.model.parameters, 'parameter')}, "
        f"{record.model.flops / 1e6:,.1f} MFLOPs an image. "
        f"Knobs that differ from cifarbench's defaults: {changed}."
    )


def data(record: Record) -> str:
    known = CATALOGUE.get(record.data.name)
    licence = known.licence if known and known.licence != "yours" else "not known here; ask its makers"
    return (
        f"`{record.data.name}`: {len(record.data.classes)} classes ({', '.join(record.data.classes)}). "
        f"Licence of the data: {licence}."
    )


def limits(record: Record) -> str:
    side = record.data.image_size
    lines = [
        f"- Pictures are resized to {side}x{side}, and each gets one of the classes, whatever it shows.",
        "- Measured on images of the same source as those it was trained on; on others expect less.",
    ]
    if record.final.chosen_by == "best_test":
        lines.append("- The epoch was chosen on the test images, so the accuracy flatters.")
    error = record.final.test.calibration_error
    if error is not None:
        lines.append(f"- Its probabilities are off by {error:.1%} on average (expected calibration error).")
    return "\n".join(lines)


HOW_TO_LOAD = """\
`python load.py PICTURE` needs torch, safetensors and Pillow, not cifarbench. All files take pixels of 0..255,
scale them themselves, and return logits; the classes are in `config.json` and the ONNX file's metadata.

```python
import numpy, onnxruntime
images = numpy.zeros((1, 3, SIDE, SIDE), numpy.uint8)
logits = onnxruntime.InferenceSession("model.onnx").run(None, {"images": images})[0]
```"""
