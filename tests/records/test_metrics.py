"""Metrics: each reads its value from the right place, at the end and at an epoch, and writes it right."""

from typing import Any

import pandas as pd
import pytest

from cifarbench.analysis.configuration import configuration, shown
from cifarbench.records.metrics import METRICS
from helpers.synthetic import synthetic


def run(**changes: Any) -> dict[str, Any]:
    common = {"test_loss": 2.0, "train_seconds": 3.0}
    epochs = [
        {**common, "running_train_loss": loss, "running_train_accuracy": train, "test_accuracy": test}
        for loss, train, test in ((1.0, 0.6, 0.5), (1.5, 0.6, 0.5), (1.25, 0.75, 0.5), (1.75, 0.875, 0.625))
    ]
    final = {
        "final.test.top1": 0.7,
        "final.test.loss": 1.1,
        "final.test.top5": 0.9,
        "final.test.calibration_error": 0.05,
        "final.augmented_top1": 0.75,
        "final.extra_top1": 0.5,
    }
    model = {"model.parameters": 62006, "model.flops": 1303440}
    return {**final, **model, "seconds.train": 12.5, "images_per_second": 9000.0, "epochs": epochs, **changes}


EXPECTED: dict[str, tuple[float, float | None, str]] = {
    # at the end of training, after the second epoch, the first one in words
    "test_accuracy": (0.7, 0.5, "70.0 %"),
    "test_loss": (1.1, 2.0, "1.100"),
    "seconds": (12.5, 6.0, "12.5 s"),
    "augmented_accuracy": (0.75, None, "75.0 %"),
    "shifted_accuracy": (0.5, None, "50.0 %"),
    "top5_accuracy": (0.9, None, "90.0 %"),
    "calibration_error": (0.05, None, "0.050"),
    "images_per_second": (9000, None, "9,000"),
    "parameters": (62006, None, "62,006"),
    "flops": (1303440, None, "1.3 MFLOPs"),
    "train_accuracy": (0.875, 0.6, "87.5 %"),
    "train_loss": (1.75, 1.5, "1.750"),
    "accuracy_gap": (0.25, pytest.approx(0.1), "25.0 points"),
    "loss_swing": (pytest.approx(1 / 3), 0.5, "0.3333"),
    "seconds_per_epoch": (3.0, 3.0, "3.0 s"),
}


def test_every_metric_has_an_expectation() -> None:
    assert EXPECTED.keys() == METRICS.keys()


def test_a_metric_with_a_column_stands_in_the_table_of_the_page() -> None:
    _, table = synthetic()
    rows = table.assign(**{metric.column: 0.5 for metric in METRICS.values() if metric.column})
    found = configuration("c", "C", rows)
    assert list(found.metrics) == [name for name, metric in METRICS.items() if metric.column]
    assert shown([found]) == list(found.metrics)


@pytest.mark.parametrize("name", METRICS)
def test_values_come_from_the_right_place(name: str) -> None:
    metric, (end, second, words) = METRICS[name], EXPECTED[name]
    assert metric.of(run()) == end
    assert metric.write(metric.of(run())) == words
    if second is None:
        assert metric.after is None
    else:
        assert metric.of(run(), epoch=2) == second
        assert metric.of(run(), epoch=-3) == second
        assert metric.of(run(), epoch=5) is None


def test_what_is_not_finite_is_none() -> None:
    assert METRICS["test_loss"].of(run(**{"final.test.loss": float("nan")})) is None
    overflowed = run(epochs=[{**epoch, "running_train_loss": None} for epoch in run()["epochs"]])
    assert METRICS["train_loss"].of(overflowed) is None
    assert METRICS["loss_swing"].of(overflowed) is None
    assert METRICS["loss_swing"].of(run(), epoch=1) is None
    assert METRICS["test_loss"].write(None) == "–"


def test_differences_carry_their_sign() -> None:
    assert METRICS["test_accuracy"].difference(0.025) == "+2.5"
    assert METRICS["test_accuracy"].unit_of_difference == "points"
    assert METRICS["seconds"].difference(-3) == "-3.0"
    assert METRICS["seconds"].unit_of_difference == "s"


def test_columns_are_those_of_the_table() -> None:
    table: pd.DataFrame = synthetic()[1].assign(
        **{"final.augmented_top1": 0.75, "final.extra_top1": 0.5}  # tested so
    )
    for name, metric in METRICS.items():
        assert metric.column is None or metric.column in table, name
        assert metric.of(table.iloc[0].to_dict()) is not None, name
