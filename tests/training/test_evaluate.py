"""Figures of the record against scikit-learn's on the same predictions, and against numbers by hand."""

import numpy as np
import pytest
import torch
from sklearn import metrics
from torchvision.transforms.v2 import functional as reference

from cifarbench.records.confusion import stored, whole
from cifarbench.training.evaluate import VIEWS, Outputs, accuracy, calibration_error, evaluate


@pytest.fixture
def outputs() -> Outputs:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (500,), generator=random)
    logits = torch.randn(500, 10, generator=random) + 2 * torch.nn.functional.one_hot(labels, 10)
    return Outputs(logits, labels, torch.nn.functional.cross_entropy(logits, labels))


def test_figures_are_scikit_learns(outputs: Outputs) -> None:
    ours = evaluate(outputs, 10)
    labels, logits = outputs.labels.numpy(), outputs.logits.numpy()
    predicted = logits.argmax(1)
    assert ours.images == 500
    assert ours.top1 == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert accuracy(outputs).item() == pytest.approx(ours.top1)
    assert ours.top5 == pytest.approx(metrics.top_k_accuracy_score(labels, logits, k=5))
    assert ours.confusion == metrics.confusion_matrix(labels, predicted).tolist()
    assert ours.per_class_accuracy == pytest.approx(metrics.recall_score(labels, predicted, average=None))
    assert ours.loss == pytest.approx(metrics.log_loss(labels, outputs.logits.softmax(1).numpy()), rel=1e-5)


def test_several_views_of_an_image_are_averaged() -> None:
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    weights = torch.randn(3 * 64, 10, generator=torch.Generator().manual_seed(1))

    def forward(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ weights

    mirror = (forward(images) + forward(images.flip(3))) / 2
    assert torch.allclose(VIEWS["mirror"](forward)(images), mirror)
    padded = reference.pad(images, [1], padding_mode="reflect")
    views = [reference.crop(padded, top, top, 8, 8) for top in (0, 2)]
    shifted = [(forward(view) + forward(reference.horizontal_flip(view))) / 2 for view in views]
    expected = mirror / 2 + sum(shifted) / 4
    assert torch.allclose(VIEWS["mirror_and_shift"](forward)(images), expected, atol=1e-5)


def test_calibration_error_by_hand() -> None:
    # Two bins of 15 hold images: 0.9 and 0.9 with one right (gap 0.4), 0.5 and right (gap 0.5).
    confidence = torch.tensor([0.9, 0.9, 0.5])
    correct = torch.tensor([True, False, True])
    assert calibration_error(confidence, correct).item() == pytest.approx((2 * 0.4 + 0.5) / 3)
    assert calibration_error(torch.ones(4), torch.ones(4, dtype=torch.bool)).item() == 0


def test_calibration_error_is_numpys_histogram(outputs: Outputs) -> None:
    confidence = outputs.logits.softmax(1).amax(1)
    correct = outputs.logits.argmax(1) == outputs.labels
    bins = np.digitize(confidence, np.linspace(0, 1, 16)[1:-1], right=True)
    gaps = [abs((correct.numpy()[bins == b] - confidence.numpy()[bins == b]).sum()) for b in range(15)]
    assert calibration_error(confidence, correct).item() == pytest.approx(sum(gaps) / 500, rel=1e-6)


def test_few_classes_are_all_among_the_top_five() -> None:
    three = Outputs(torch.eye(3), torch.tensor([0, 1, 1]), torch.tensor(float("nan")))
    ours = evaluate(three, 3)
    assert (ours.top1, ours.top5, ours.loss) == (pytest.approx(2 / 3), 1.0, None)
    assert ours.per_class_accuracy == [1.0, 0.5, None]


def test_the_confusion_of_many_classes_is_kept_without_its_zeros() -> None:
    random = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 1000, (5000,), generator=random)
    logits = torch.randn(5000, 1000, generator=random) + 5 * torch.nn.functional.one_hot(labels, 1000)
    ours = evaluate(Outputs(logits, labels, torch.zeros(())), 1000)
    assert ours.confusion == []
    expected = metrics.confusion_matrix(labels, logits.argmax(1), labels=range(1000))
    assert np.array_equal(whole(ours.confusion, ours.confusion_cells, 1000), expected)
    assert len(ours.model_dump_json(indent=1)) < 200_000


@pytest.mark.parametrize("classes", [2, 3, 100, 101])
def test_a_stored_confusion_is_the_same_when_it_is_read(classes: int) -> None:
    matrix = np.random.default_rng(0).integers(0, 3, (classes, classes))
    fields = {"confusion_cells": [], **stored(matrix)}
    assert np.array_equal(whole(fields["confusion"], fields["confusion_cells"], classes), matrix)
