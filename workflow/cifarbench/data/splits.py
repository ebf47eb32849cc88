"""Cutting a part off a labelled set so that every class gives its share."""

import numpy as np
from numpy.typing import NDArray


def stratified_split(
    labels: NDArray[np.integer], count: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (indices that stay, `count` indices cut off), both ascending.

    Each class gives its share of `count`, rounded by largest remainder; `seed` alone decides which.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    shares = sizes * count / len(labels)
    take = np.floor(shares).astype(int)
    by_remainder = np.argsort(take - shares, kind="stable")
    take[by_remainder[: count - take.sum()]] += 1
    random = np.random.Generator(np.random.PCG64(seed))
    chosen = [
        random.permutation(np.flatnonzero(labels == label))[:n]
        for label, n in zip(classes, take, strict=True)
    ]
    cut_off = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(labels)), cut_off, assume_unique=True), cut_off
