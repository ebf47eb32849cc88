"""How often each class was taken for each: whole in a record, or, of many classes, only what is not zero."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_WHOLE = 100  # classes; of 1,000 the whole matrix would be 16 MB of JSON

Matrix = NDArray[np.int64]  # (classes, classes), rows are true classes


def stored(matrix: Matrix) -> dict[str, list[list[int]] | list[int]]:
    """Return the fields of a record: `confusion`, or `confusion_cells` as true, predicted, images in turn."""
    if len(matrix) <= MOST_WHOLE:
        return {"confusion": matrix.tolist()}
    true, predicted = matrix.nonzero()
    cells = np.stack([true, predicted, matrix[true, predicted]], axis=1)  # (cells, 3)
    return {"confusion": [], "confusion_cells": cells.ravel().tolist()}


def whole(confusion: Sequence[Sequence[int]], cells: Sequence[int], classes: int) -> Matrix:
    """Return the matrix from the fields of a record."""
    if len(confusion):
        return np.stack([np.asarray(row, np.int64) for row in confusion])
    matrix = np.zeros((classes, classes), np.int64)
    true, predicted, images = np.asarray(cells, np.int64).reshape(-1, 3).T
    matrix[true, predicted] = images
    return matrix
