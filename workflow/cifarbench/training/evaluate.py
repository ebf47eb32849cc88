"""Test a trained model: predictions, and the figures that follow from them."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cifarbench.data.loading import Data, ImageSet
from cifarbench.records.confusion import stored
from cifarbench.records.record import Evaluation
from cifarbench.training.losses import Loss, at_least_float32

BATCH = 500  # images per forward pass; the result does not depend on it but for rounding
CALIBRATION_BINS = 15  # as in Guo et al., "On Calibration of Modern Neural Networks", 2017


class Outputs(NamedTuple):
    """Logits (N, classes), of the model's type but at least float32, and labels (N,), on the device; the loss
    is the mean over the images."""

    logits: Tensor
    labels: Tensor
    loss: Tensor


Forward = Callable[[Tensor], Tensor]


def mirrored(forward: Forward) -> Forward:
    """Return the mean of the logits of images and of their mirrors."""
    return lambda images: (forward(images) + forward(images.flip(3))) / 2


def mirrored_and_shifted(forward: Forward) -> Forward:
    """Take half of the mirrored mean, and half of those of two shifts by a pixel along the diagonal.

    What comes in is the image's edge mirrored; as in airbench (Jordan, 2024).
    """
    both = mirrored(forward)

    def mean(images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = nn.functional.pad(images, (1,) * 4, mode="reflect")
        shifts = both(padded[:, :, :height, :width]), both(padded[:, :, 2:, 2:])
        return both(images) / 2 + (shifts[0] + shifts[1]) / 4

    return mean


VIEWS: dict[str, Callable[[Forward], Forward]] = {
    "none": lambda forward: forward,
    "mirror": mirrored,
    "mirror_and_shift": mirrored_and_shifted,
}


@torch.no_grad()
def forward_all(
    model: nn.Module,
    part: ImageSet,
    data: Data,
    loss: Loss,
    autocast: Callable[[], torch.autocast],
    views: str = "none",
) -> Outputs:
    """Run the model over a part of the data in evaluation mode, on one or several views of each image."""
    forward = VIEWS[views](model)
    model.eval()
    all_logits, all_labels = [], []
    with autocast():
        for start in range(0, len(part), BATCH):
            images, labels = part.batch(slice(start, start + BATCH))
            all_logits.append(at_least_float32(forward(data.scale(images))))
            all_labels.append(labels)
    logits, labels = torch.cat(all_logits), torch.cat(all_labels)
    return Outputs(logits, labels, loss(logits, labels))


def accuracy(outputs: Outputs) -> Tensor:
    return (outputs.logits.argmax(1) == outputs.labels).float().mean()


def evaluate(outputs: Outputs, classes: int) -> Evaluation:
    """Compute every figure of the record from the outputs on a part of the data."""
    logits, labels = outputs.logits.cpu(), outputs.labels.cpu()
    confidence, predicted = logits.softmax(1).max(1)
    correct = predicted == labels
    pairs = labels * classes + predicted
    confusion = torch.bincount(pairs, minlength=classes**2).view(classes, classes)
    top5 = logits.topk(min(5, classes)).indices.eq(labels[:, None]).any(1)
    return Evaluation(
        images=len(labels),
        loss=finite(outputs.loss),
        top1=correct.double().mean().item(),
        top5=top5.double().mean().item(),
        per_class_accuracy=[finite(share) for share in confusion.diag() / confusion.sum(1)],
        calibration_error=finite(calibration_error(confidence, correct)),
        **stored(confusion.numpy()),
    )


def calibration_error(confidence: Tensor, correct: Tensor) -> Tensor:
    """Expected calibration error: |accuracy - confidence| over equal bins of confidence, weighted by size."""
    inner_edges = torch.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]
    bins = torch.bucketize(confidence, inner_edges)
    gap = correct.double() - confidence.double()
    return torch.zeros(CALIBRATION_BINS, dtype=torch.double).index_add(0, bins, gap).abs().sum() / len(gap)


def finite(value: Tensor) -> float | None:
    """Return a number that JSON can hold: None where the loss overflowed or is not a number."""
    number = value.item()
    return number if torch.isfinite(value) else None
