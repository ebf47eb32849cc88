"""Pick the test images that say most of where models fail: `cifarbench pictures PLAN TABLE`.

For each data set, the images that most runs get wrong, and some on which two of the models disagree. Each
model speaks by its best configuration, and a configuration by the majority of its seeds. One row a picture:
`dataset`, `image` (its row among the test images), `label`, `wrong` (the share of runs that err), `png`, and
`answers`, the class that each of `configurations` gives.
"""

import io
import itertools
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.results import Results
from cifarbench.analysis.table import write_table
from cifarbench.data.manifest import IMAGES, MANIFEST, read_manifest
from cifarbench.plan.plan import Plan
from cifarbench.records.folder import PREDICTIONS

HARDEST, DISPUTED = 24, 24  # pictures of each data set
COLUMNS = ["dataset", "image", "label", "wrong", "png", "answers", "configurations"]

log = logging.getLogger(__name__)


class Voter(NamedTuple):
    """What a configuration says of each test image (N,), and its mean confidence in its answers (N,)."""

    key: str
    answers: np.ndarray
    confidence: np.ndarray


def pictures(plan: Plan, table: pd.DataFrame, runs: Path, data: Path, output: Path) -> None:
    """Write the pictures of all data sets; none of those whose images or predictions are not here."""
    results = Results(plan, table)
    rows = [
        row
        for dataset, configurations in results.representatives.items()
        for row in pictures_of(dataset, results, configurations, runs, data / dataset)
    ]
    write_table(pd.DataFrame(rows, columns=COLUMNS), output)


def pictures_of(
    dataset: str, results: Results, configurations: list[Configuration], runs: Path, folder: Path
) -> list[dict[str, Any]]:
    voters = [voter for c in configurations if (voter := vote(c, runs)) is not None]
    trained_on = configurations[0].first("data.images_sha256")
    if not voters or not (folder / MANIFEST).exists():
        return []
    if read_manifest(folder).images_sha256 != trained_on:
        log.warning("%s: is not what the runs were trained on, so none of its images is shown", folder)
        return []
    try:
        with safe_open(folder / IMAGES, framework="np") as file:
            images, labels = (file.get_tensor(f"test_{name}") for name in ("images", "labels"))
    except (OSError, SafetensorError) as error:
        log.warning("%s: cannot be read: %s; none of its images is shown", folder / IMAGES, error)
        return []
    wrong = share_wrong(results, dataset, len(labels))
    chosen = hardest(voters, labels, wrong)
    chosen += [image for image in disputed(voters) if image not in chosen]
    return [
        {
            "dataset": dataset,
            "image": image,
            "label": int(labels[image]),
            "wrong": float(wrong[image]),
            "png": png(images[image]),
            "answers": [int(voter.answers[image]) for voter in voters],
            "configurations": [voter.key for voter in voters],
        }
        for image in chosen
    ]


def vote(configuration: Configuration, runs: Path) -> Voter | None:
    """Return the majority of the seeds, the lowest class of several; None without predictions."""
    paths = [runs / run / PREDICTIONS for run in configuration.runs["run"]]
    saved = [load_file(path) for path in paths if path.exists()]
    if not saved:
        return None
    predicted = np.stack([part["predicted"] for part in saved])
    counts = np.stack([(predicted == k).sum(0) for k in range(predicted.max() + 1)])
    confidence = np.stack([part["probability"] for part in saved]).mean(0)
    return Voter(configuration.key, counts.argmax(0), confidence)


def share_wrong(results: Results, dataset: str, images: int) -> np.ndarray:
    """Return the share of a data set's runs that get each test image wrong."""
    rows = results.done[results.done["data.name"] == dataset]
    right = np.zeros(images)
    for bits in rows["correct"].dropna():
        right += np.unpackbits(np.frombuffer(bits, np.uint8), count=images)
    return 1 - right / max(1, rows["correct"].notna().sum())


def hardest(voters: list[Voter], labels: np.ndarray, wrong: np.ndarray) -> list[int]:
    """Return the images that most runs get wrong; of equals, those with most confidence in wrong answers."""
    sure = np.sum([voter.confidence * (voter.answers != labels) for voter in voters], axis=0)
    order = np.lexsort((-sure, -wrong))[:HARDEST]
    return [int(image) for image in order if wrong[image] > 0]


def disputed(voters: list[Voter]) -> list[int]:
    """Return, for each pair of voters, images that they answer differently, the most confident ones first."""
    pairs = list(itertools.combinations(voters, 2))
    chosen: list[int] = []
    for first, second in pairs:
        sure = (first.confidence + second.confidence) * (first.answers != second.answers)
        best = [int(image) for image in np.argsort(-sure, kind="stable") if sure[image] > 0]
        chosen += [image for image in best if image not in chosen][: max(1, DISPUTED // len(pairs))]
    return chosen


def png(image: np.ndarray) -> bytes:
    """Return a uint8 image (3, H, W) as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
