"""What it takes to reach an accuracy: epochs, images, floating-point operations and seconds of training.

Accuracy is measured after each epoch, so all of it is rounded up to whole epochs. What testing costs is left
out. A training step on an image counts as three forward passes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cifarbench.analysis.columns import timed
from cifarbench.analysis.configuration import Configuration, Seeds, mean_of, middle_of
from cifarbench.records.metrics import Metric

# Each by its name, as Metric writes it.
EFFORTS = {
    "epochs": Metric("Epochs", "", "lower"),
    "images": Metric("Images", "", "lower", digits=0),
    "flops": Metric("Work", "TFLOPs", "lower", factor=1e-12, significant=1),
    "seconds": Metric("Training time", "s", "lower"),
}
FORWARD_PASSES = 3


class Reached(NamedTuple):
    """How a configuration does with a target: its runs, and by effort the values of those that reached it, by
    seed. Times are of runs whose times count."""

    configuration: Configuration
    target: float
    runs: int
    efforts: dict[str, dict[int, float]]

    @property
    def reached(self) -> int:
        return len(self.efforts["epochs"])

    def over_seeds(self, effort: str) -> Seeds | None:
        """Return what the runs that reached the target took; of times, the median."""
        values = list(self.efforts[effort].values())
        if not values:
            return None
        return middle_of(values) if effort == "seconds" else mean_of(values)


def part_of(configurations: Sequence[Configuration]) -> str:
    """Return the part whose accuracy counts: validation images where every run has some."""
    epochs = (epoch for c in configurations for run in c.runs["epochs"] for epoch in run)
    return "test" if any(epoch["validation_accuracy"] is None for epoch in epochs) else "validation"


def reached(configuration: Configuration, target: float, part: str) -> Reached:
    rows = configuration.runs.to_dict("records")
    found = [(row, passes(row, target, part)) for row in rows]
    there = [(row, epochs) for row, epochs in found if epochs is not None]
    on_time = {int(row["config.seed"]) for row in timed(configuration.runs).to_dict("records")}
    efforts: dict[str, dict[int, float]] = {name: {} for name in EFFORTS}
    for row, epochs in there:
        seed = int(row["config.seed"])
        images = epochs * images_per_epoch(row)
        efforts["epochs"][seed] = epochs
        efforts["images"][seed] = images
        efforts["flops"][seed] = FORWARD_PASSES * images * float(row["model.flops"])
        if seed in on_time:
            efforts["seconds"][seed] = sum(epoch["train_seconds"] for epoch in row["epochs"][:epochs])
    return Reached(configuration, target, len(rows), efforts)


def passes(run: dict[str, Any], target: float, part: str) -> int | None:
    """Return the epochs after which a run is first as accurate as the target; None if it never is."""
    accuracies = [epoch[f"{part}_accuracy"] for epoch in run["epochs"]]
    return next((number for number, value in enumerate(accuracies, 1) if value >= target), None)


def images_per_epoch(run: dict[str, Any]) -> int:
    images = int(run["data.train_images"])
    return images - images % int(run["config.batch_size"]) if run["config.last_batch"] == "drop" else images
