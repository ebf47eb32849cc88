"""What the JPEG copy costs in testing: `python tests/helpers/jpeg_copy.py COPY EXACT RUN... --output FILE`.

COPY is the archive of all images encoded again, EXACT one of some images as they were, both in folders of
classes; a RUN is the folder of one trained on the copy. Each is tested on the exact test images and on their
twins in the copy, so that the difference is that of their encoding.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from cifarbench.analysis.stats import t_interval
from cifarbench.cli.parser import main as cifarbench
from cifarbench.files import write_text
from cifarbench.use.predictor import predictor


def test_images(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the test images of an archive, (N, 3, 32, 32) uint8, and their classes."""
    with tempfile.TemporaryDirectory() as folder:
        call = ["normalise", "--name", "images", "--format", "folder", "--source", str(source)]
        cifarbench([*call, "--output", folder])
        arrays = load_file(Path(folder) / "images.safetensors")
    return arrays["test_images"], arrays["test_labels"]


def twins(exact: np.ndarray, labels: np.ndarray, copy: np.ndarray, copied_labels: np.ndarray) -> np.ndarray:
    """Return each exact image's twin in the copy: the nearest of its class in squared difference. Raise
    ValueError if two have the same."""
    found = np.empty(len(exact), int)
    for label in np.unique(labels):
        ours, theirs = np.flatnonzero(labels == label), np.flatnonzero(copied_labels == label)
        a, b = (pixels.reshape(len(pixels), -1).astype(float) for pixels in (exact[ours], copy[theirs]))
        distances = (b**2).sum(1) - 2 * a @ b.T
        found[ours] = theirs[distances.argmin(1)]
    if len(np.unique(found)) < len(found):
        raise ValueError("two exact images have the same twin; is one set a copy of the other?")
    return copy[found]


def measure(copy: Path, exact: Path, runs: Sequence[Path]) -> dict[str, object]:
    """Return how much more of the exact images each run gets right than of their twins, and the mean over
    runs with the 95 % interval that comes from the choice of images."""
    (ours, labels), (theirs, copied_labels) = (test_images(source) for source in (exact, copy))
    same = twins(ours, labels, theirs, copied_labels)
    gains = {}
    for run in runs:
        trained = predictor(str(run))
        right = [
            trained.probabilities(trained.filtered(images)).argmax(1) == labels for images in (ours, same)
        ]
        gains[run.name] = right[0].astype(float) - right[1]
    of_images = t_interval(np.mean(list(gains.values()), 0).tolist())
    assert of_images is not None
    each = {run: float(gain.mean()) for run, gain in gains.items()}
    return {"images": len(ours), **of_images._asdict(), "runs": each}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("copy", type=Path)
    parser.add_argument("exact", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    found = json.dumps(measure(args.copy, args.exact, args.runs), indent=1)
    write_text(args.output, f"{found}\n")
    print(found)
