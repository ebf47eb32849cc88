"""The record of one run, `metrics.json`: checked when it is written and when it is read.

Accuracies are fractions of 1, times are seconds of wall clock with the device synchronised.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from cifarbench.config.knobs import TrainConfig
from cifarbench.files import parse_model, read_model, write_text
from cifarbench.records.folder import RECORD
from cifarbench.records.older import upgraded_record

Fraction = float  # of 1
MAKER = "cifarbench train"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Epoch(_Part):
    """One pass. The training figures are running means while the weights move, dropout on, as Keras has
    them; validation and test are measured after the pass."""

    epoch: int = Field(ge=1)
    learning_rate: float
    """At the last step of the epoch."""
    running_train_loss: float | None
    running_train_accuracy: Fraction
    validation_loss: float | None
    validation_accuracy: Fraction | None
    test_loss: float | None
    test_accuracy: Fraction
    train_seconds: float
    evaluation_seconds: float


class Evaluation(_Part):
    """What the kept weights reach on one part of the data. Rows of `confusion` are true classes; a class
    without images in this part has no accuracy."""

    images: int
    loss: float | None
    top1: Fraction
    top5: Fraction
    per_class_accuracy: list[Fraction | None]
    confusion: list[list[int]]
    calibration_error: float | None
    confusion_cells: list[int] = Field([], exclude_if=lambda cells: not cells)
    """In place of `confusion` where there are many classes, see `records/confusion.py`."""


class Group(_Part):
    """What they reach on the images of a data set that belong together, such as those of one corruption."""

    name: str
    images: int
    top1: Fraction


class ExtraTest(_Part):
    """What the kept weights reach on another data set with the same classes."""

    name: str
    images_sha256: str
    images: int
    loss: float | None
    top1: Fraction
    groups: list[Group] = []


class Final(_Part):
    """The kept weights: of which epoch, chosen how, and how good."""

    epoch: int
    chosen_by: Literal["last", "best_validation", "best_test"]
    validation: Evaluation | None
    test: Evaluation
    augmented_top1: Fraction | None = None
    """On the test set with `test_time_augmentation`, beside the plain one."""
    extra_top1: Fraction | None = None
    """The mean of the accuracies on the `extra_tests`."""
    extra_tests: list[ExtraTest] = []


class DataFacts(_Part):
    name: str
    manifest_sha256: str
    images_sha256: str
    classes: list[str]
    train_images: int
    validation_images: int
    test_images: int
    mean: list[float] | None = None
    std: list[float] | None = None
    """Of all training images, per channel, as fractions of 255; None in older records."""
    background: str | None = None
    """Behind transparent pixels; None in older records."""
    image_size: int = 32
    """Side of the images in pixels, before the knob of that name."""
    description: list[str] = []
    """What was decided when the data set was read, and what its reader must know; empty in older records."""
    warnings: list[str] = []


class ModelFacts(_Part):
    """`parameters` counts BatchNorm's running statistics too; `flops` is of the forward pass on one image."""

    parameters: int
    trainable_parameters: int
    flops: int
    started_anew: list[str] = []
    """Of a run with `initial_weights`, the layers that the file has nothing for, whose weights were drawn."""


class Seconds(_Part):
    """Where the time went. `setup` is data and model, `trial` the search for the fastest way where a knob is
    `auto`, `fingerprint` the replay in float64, `warmup` one discarded step."""

    setup: float
    trial: float = 0.0
    fingerprint: float = 0.0
    warmup: float
    train: float
    evaluation: float
    total: float


class Environment(_Part):
    """The machine that ran the job."""

    device: str
    device_name: str
    driver: str | None
    cuda: str | None
    threads: int
    platform: str
    python: str
    versions: dict[str, str]


class Code(_Part):
    """What decided the training: the commit, whether it was changed, hashes of the sources and the model.

    In place of the latter, of a model that a library builds, are the library's name and version.
    """

    version: str
    commit: str | None
    dirty: bool | None
    source_sha256: str
    model_sha256: str


class Fingerprint(_Part):
    """How a configuration trains, whatever its seed: a few steps on a few images, replayed in float64.

    Losses and the norms of what the weights moved by are those of each step, `final_loss` that of the same
    images after the last one, as tests compute it; None where not finite. The learning rates are the means
    over 16 parts of the run's own steps. The hash is of the float32 weights that the replay's seed gives.
    """

    rule: int
    """Which steps and images; figures of different rules are not to be compared."""
    initial_weights_sha256: str
    losses: list[float | None]
    update_norms: list[float | None]
    final_loss: float | None
    learning_rates: list[float]


class Adopted(_Part):
    """Where a run comes from that was not trained here."""

    source: str
    """The table or archive, as the config names it."""
    verified: str
    """How it is known that the code here trains it the same."""


class Kept(_Part):
    """What is kept of an adopted run beside its record: how it was verified, and of the table that it comes
    from what `collect` would read from the predictions."""

    verified: str
    while_known: bool = False
    """Whether it is to be trained when the config does not name where it comes from any more."""
    correct: str | None = None
    """A bit for each test image, eight to a byte, in base64."""
    calibration: dict[str, list[float]] = {}


class Repetition(_Part):
    """The same run trained once more, independently, by code that behaves alike."""

    source: str
    test_accuracy: Fraction
    test_loss: float | None
    device_name: str
    finished: str


class Record(_Part):
    schema_version: Literal[2] = 2
    run: str
    configuration: str
    status: Literal["completed", "diverged"]
    config: TrainConfig
    in_force: dict[str, str | float | None]
    """The knobs that `conventions` or a trial filled, as they were."""
    data: DataFacts
    model: ModelFacts
    fingerprint: Fingerprint | None = None
    """None of a model that cannot compute in float64, and in older records."""
    first_losses: list[float | None] = []
    """Of the run's own first steps, 10 if its first epoch has as many; empty in older records."""
    epochs: list[Epoch]
    final: Final
    seconds: Seconds
    images_per_second: float
    resumptions: int
    """How often the training was interrupted and went on."""
    peak_memory_bytes: int
    tracked: list[str] = []
    """Trackers that were told of each epoch; what they cost is not in the times of training."""
    environment: Environment
    code: Code
    finished: str
    """UTC, ISO 8601."""
    times: Literal["alone", "shared"] = Field("alone", exclude_if=lambda times: times == "alone")
    """Shared where the machine did other work meanwhile: such times are told, and never ranked."""
    adopted: Adopted | None = Field(None, exclude_if=lambda adopted: adopted is None)
    repeated: list[Repetition] = Field([], exclude_if=lambda repeated: not repeated)


def write_record(record: Record, folder: Path) -> None:
    checked = Record.model_validate(record.model_dump())
    write_text(folder / RECORD, checked.model_dump_json(indent=1) + "\n")


def read_record(path: Path) -> Record:
    return read_model(Record, path, MAKER, upgraded_record)


def parse_record(text: bytes, where: str) -> Record:
    return parse_model(Record, text, where, MAKER, upgraded_record)
