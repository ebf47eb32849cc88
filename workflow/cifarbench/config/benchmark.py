"""The typed config: what a data set, a study and a benchmark are called and may be; runs are in `knobs`.

From it come the validation of `config.yaml` and its JSON schema.
Nothing here imports torch, because Snakemake reads this at every call.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from cifarbench.config.knobs import TrainConfig
from cifarbench.config.text import PathText, Prose, Slug, no_truth_for_a_number
from cifarbench.errors import UserError, explain, shown

SIDE = 32  # pixels


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        return no_truth_for_a_number(value, cls.model_fields[str(info.field_name)].annotation)


class OwnModel(_Strict):
    """A model from a file of the user's own, see examples/own-model."""

    name: Slug = Field(description="name that runs use")
    file: PathText = Field(description="Python file with a function build(classes, *, knobs)")


def option(default: Any, help: str, **bounds: Any) -> Any:
    """Declare an option that a plan holds only where it is not the default."""
    return Field(default, description=help, exclude_if=lambda value: value == default, **bounds)


class ReadOptions(_Strict):
    """How images become pixels, and how large they may be, lest a small archive fill all memory."""

    background: str = option("#ffffff", "colour behind transparent pixels", pattern="^#[0-9a-fA-F]{6}$")
    image_size: int = option(
        SIDE, "side of all images in pixels, to which they are resized when they are read", ge=8, le=512
    )
    max_pixels: int = option(50_000_000, "pixels that an image may have", ge=1)
    max_files: int = option(2_000_000, "files that an archive or folder may hold", ge=1)
    subset: dict[Literal["train", "validation", "test"], Annotated[int, Field(ge=1)]] = option(
        {}, "images of a part that are kept, each class giving its share"
    )
    max_bytes: int = option(4_000_000_000, "bytes that an archive may hold, unpacked", ge=1)


class Dataset(ReadOptions):
    """A data set, where it comes from, and how it is read."""

    name: Slug = Field(description="name that runs use")
    format: str | None = Field(
        None, description="how it is read; may be left out where the name is that of a known data set"
    )
    source: PathText | None = Field(
        None, description="path or URL; without one, the official address if it has one"
    )
    sha256: str | None = Field(
        None, description="checksum of the archive; known for the official ones", pattern="^[0-9a-f]{64}$"
    )


def is_url(source: str | None) -> bool:
    return source is not None and source.lower().startswith(("http://", "https://"))


Target = Annotated[float, Field(gt=0, lt=1)]  # a share of the images


def _lies_here(path: str) -> str:
    if "://" in path:
        raise ValueError("it must be a file or a folder; download it, and name what was downloaded")
    return path


class Known(_Strict):
    """Results that are there already: a table that `collect` wrote, or an archive or folder of runs."""

    table: Annotated[PathText, AfterValidator(_lies_here)] = Field(
        description="path of a Parquet table, a zip, a tar or a folder of runs"
    )
    times: Literal["alone", "shared"] = Field(
        "alone", description="shared where the machine did other work meanwhile: told, and never ranked"
    )

    def as_text(self) -> str:
        """Write it as a word of a command line, as short as it may be."""
        return self.table if self == Known(table=self.table) else self.model_dump_json()


def _as_known(value: Any) -> Any:
    return {"table": value} if isinstance(value, str) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping) else value  # as `--config known=...` has it


class Study(_Strict):
    """A question and the runs that answer it. What varies between the runs is what is studied."""

    name: Slug
    title: Prose = Field(description="heading in the report")
    question: Prose = Field("", description="what the reader wants to know")
    compare: Literal["best", "previous"] = Field(
        "best", description="beside what each configuration stands: the best one, or the one before it"
    )
    target_accuracy: list[Target] = Field(
        [], description="accuracies, such as [0.9, 0.94]; the report tells what it takes to reach each"
    )
    defaults: dict[str, Any] = Field({}, description="knobs of every run of this study")
    runs: list[dict[str, Any]] = Field(
        min_length=1, description="knobs of each run, and a label; a list value is an axis of a grid"
    )


Tracker = Literal["tensorboard", "wandb"]
TRACKERS = get_args(Tracker)


class Config(_Strict):
    """A benchmark: what config.yaml holds."""

    title: Prose = Field("Benchmark", description="heading of the report")
    note: Prose = Field("", description="what a reader must know first, for example about the data")
    models: list[OwnModel] = Field([], description="models from files of your own")
    datasets: list[Dataset] = Field([], description="data sets of your own, or copies of the known ones")
    defaults: dict[str, Any] = Field({}, description="knobs of every run; a list value is an axis of a grid")
    pack: int = Field(
        1, ge=1, lt=2**31, description="trainings that one process does in turn; more pays for short ones"
    )
    max_epochs: int | None = Field(
        None,
        ge=1,
        lt=2**31,
        description="train no run for longer, to see all of it soon; the report says so",
    )
    max_runs: int = Field(
        100_000,
        ge=1,
        lt=2**31,
        description="refuse to plan more runs than this",
    )
    known: Annotated[
        list[Annotated[Known, BeforeValidator(_as_known, json_schema_input_type=PathText | Known)]],
        BeforeValidator(_as_list, json_schema_input_type=PathText | list[PathText | Known]),
    ] = Field([], description="results whose runs are taken instead of trained, where that is the same")
    track: list[Tracker] = Field(
        [], description="where to write how each training goes, too; changes neither runs nor their ids"
    )
    track_gradients: bool = Field(False, description="tell `track` the norm of the gradient, too")
    claims: PathText | None = Field(None, description="file of published claims that the runs test")
    studies: list[Study] = Field(min_length=1, description="questions, each with its runs")


def _belongs() -> dict[str, str]:
    """Return where each key belongs that has one place alone; a knob has many."""
    places: list[tuple[type[BaseModel], str]] = [
        (Config, "the config itself"),
        (Study, "a study"),
        (Dataset, "an entry of `datasets`"),
    ]
    keys = Counter(name for kind, _ in places for name in kind.model_fields)
    found = {name: place for kind, place in places for name in kind.model_fields if keys[name] == 1}
    return found | dict.fromkeys(TrainConfig.model_fields, "`defaults`, or an entry of `runs`")


BELONGS = _belongs()


def parse(data: Any, where: str = "config") -> Config:
    """Check a config that has been read from YAML. Raise UserError with a line for each fault."""
    if not isinstance(data, Mapping):
        found = "an empty file" if data is None else shown(data)
        raise UserError(f"{where}: {found} is not allowed: it must be a mapping with the key 'studies'")
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise UserError(explain(error, where, _keys_at(error), BELONGS)) from None


def _keys_at(error: ValidationError) -> list[str]:
    place = [key for key in error.errors()[0]["loc"][:-1] if isinstance(key, str)]
    kinds: dict[str, type[BaseModel]] = {
        "models": OwnModel,
        "datasets": Dataset,
        "known": Known,
        "studies": Study,
    }
    return list(kinds.get(place[-1] if place else "", Config).model_fields)


def locate(config: Config, folders: list[Path]) -> Config:
    """Resolve the config's relative paths: the first of `folders` that holds one, else as it is."""

    def find(path: str | None) -> str | None:
        if path is None or is_url(path):
            return path
        found = [folder / path for folder in folders if _exists(folder / path)]
        return str(found[0]) if found else path

    def placed(knobs: dict[str, Any]) -> dict[str, Any]:
        return {name: of_each(value) if name == "initial_weights" else value for name, value in knobs.items()}

    def of_each(weights: Any) -> Any:
        if isinstance(weights, Mapping):  # drawn among several
            return {name: of_each(given) for name, given in weights.items()}
        if isinstance(weights, list):
            return [of_each(given) for given in weights]
        return find(weights) if isinstance(weights, str) else weights

    def in_study(study: Study) -> Study:
        runs = [placed(run) for run in study.runs]
        return study.model_copy(update={"defaults": placed(study.defaults), "runs": runs})

    return config.model_copy(
        update={
            "defaults": placed(config.defaults),
            "studies": [in_study(study) for study in config.studies],
            "models": [m.model_copy(update={"file": find(m.file)}) for m in config.models],
            "known": [k.model_copy(update={"table": find(k.table)}) for k in config.known],
            "claims": find(config.claims),
            "datasets": [d.model_copy(update={"source": find(d.source)}) for d in config.datasets],
        }
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long together with its folder, or behind a folder that may not be read
        return False


def check_augmentation(config: TrainConfig, side: int) -> None:
    """Raise UserError for what would leave nothing of an image of so many pixels a side."""
    for name, most in (("crop_padding", side - 1), ("cutout", side)):
        value = getattr(config, name)
        if value > most:
            raise UserError(
                f"{name}: {value} is not allowed: nothing may be left of an image of {side} pixels; "
                f"choose at most {most}"
            )
