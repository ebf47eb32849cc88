"""What the runs of a configuration answered and how they learned: images, classes, confidence and curves."""

from typing import NamedTuple

import numpy as np

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.stats import image_error, mcnemar
from cifarbench.records.confusion import whole

ENOUGH = 10  # images of a degree of confidence, for a share of them to be told


class OnSameImages(NamedTuple):
    """Two configurations on the same test images with the same seed: how many only one gets right."""

    seed: int
    only_first: int
    only_second: int
    p: float


def on_same_images(first: Configuration, second: Configuration) -> OnSameImages | None:
    """Compare the predictions of the first seed that both have; None without predictions."""
    ours, theirs = first.by_seed("correct"), second.by_seed("correct")
    seeds = sorted(ours.keys() & theirs.keys())
    if not seeds or len(ours[seeds[0]]) != len(theirs[seeds[0]]):
        return None
    a, b = (_bits(bits[seeds[0]]) for bits in (ours, theirs))
    only_first, only_second = int((a & ~b).sum()), int((b & ~a).sum())
    return OnSameImages(seeds[0], only_first, only_second, mcnemar(only_first, only_second))


def error_of_images(configuration: Configuration) -> float | None:
    """Return the standard error of the mean accuracy that the choice of test images brings; None without
    predictions of every run."""
    right = images_right(configuration)
    if len(right) < len(configuration.runs) or len({len(run) for run in right}) != 1:
        return None
    return image_error(np.stack(right))


def images_right(configuration: Configuration) -> list[np.ndarray]:
    """Return of each run with predictions which test images it got right."""
    images = int(configuration.first("final.test.images"))
    return [_bits(run)[:images] for run in configuration.by_seed("correct").values()]


def _bits(packed: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool)


def curve(configuration: Configuration, name: str) -> np.ndarray:
    """Return one field of the epochs of each run, (runs, epochs); NaN where it has no value, as after the end
    of a diverged run."""
    runs = [
        [np.nan if e[name] is None else e[name] for e in epochs] for epochs in configuration.runs["epochs"]
    ]
    longest = max(map(len, runs))
    return np.array([run + [np.nan] * (longest - len(run)) for run in runs], float)


def over_runs(values: np.ndarray) -> np.ndarray:
    """Return mean, lowest and highest over the runs that have a value, (3, epochs); NaN where none has."""
    known = np.ma.masked_invalid(values)
    return np.ma.stack([known.mean(0), known.min(0), known.max(0)]).filled(np.nan)


def held_out_part(configurations: list[Configuration]) -> str:
    """Return which images learning curves are of: validation where every run has some, else test."""
    first = [curve(configuration, "validation_accuracy")[:, 0] for configuration in configurations]
    return "test" if any(np.isnan(values).any() for values in first) else "validation"


def confusion(configuration: Configuration) -> np.ndarray:
    """Return how often each true class (row) was taken for each class (column), summed over seeds."""
    runs = configuration.runs
    parts = (
        runs["final.test.confusion"],
        runs.get("final.test.confusion_cells", [()] * len(runs)),  # no column in older tables
        runs["data.classes"].map(len),
    )
    return np.sum([whole(*row) for row in zip(*parts, strict=True)], axis=0)


def calibration(configuration: Configuration) -> tuple[np.ndarray, np.ndarray]:
    """Return mean confidence and accuracy of each bin of confidence with enough images, over all seeds."""
    done = configuration.runs
    if "calibration.images" not in done:
        return np.array([]), np.array([])
    known = done.dropna(subset="calibration.images")
    columns = (known[f"calibration.{name}"].tolist() for name in ("images", "confidence", "accuracy"))
    images, confidence, accuracy = (np.array(values, float) for values in columns)
    total = images.sum(0)
    some = total >= ENOUGH
    return (images * confidence).sum(0)[some] / total[some], (images * accuracy).sum(0)[some] / total[some]
