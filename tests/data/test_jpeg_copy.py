"""The twins of exact images in a copy that is encoded again are found."""

import numpy as np
import pytest

from helpers.jpeg_copy import twins

RANDOM = np.random.default_rng(0)
COPY = RANDOM.integers(10, 240, (60, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(60) % 3


def test_a_twin_is_the_nearest_of_its_class() -> None:
    chosen = RANDOM.permutation(60)[:20]
    exact = (COPY[chosen] + RANDOM.integers(-10, 10, (20, 3, 32, 32))).astype(np.uint8)
    assert (twins(exact, LABELS[chosen], COPY, LABELS) == COPY[chosen]).all()


def test_two_images_with_one_twin_are_no_sample_of_the_copy() -> None:
    with pytest.raises(ValueError, match="two exact images have the same twin"):
        twins(COPY[[0, 0]], LABELS[[0, 0]], COPY, LABELS)
