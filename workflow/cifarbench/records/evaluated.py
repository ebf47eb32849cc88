"""What weights trained elsewhere reach here, `evaluated.json`: no training, so no epochs and no times."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from cifarbench.config.knobs import TrainConfig
from cifarbench.files import read_model, write_text
from cifarbench.records.record import DataFacts, Environment, Evaluation, ModelFacts

EVALUATED = "evaluated.json"


class Evaluated(BaseModel):
    """`name` is that of the weights' file; of the config only what decides an evaluation is meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    weights_sha256: str
    config: TrainConfig
    data: DataFacts
    model: ModelFacts
    test: Evaluation
    environment: Environment
    finished: str
    """UTC, ISO 8601."""


def write_evaluated(evaluated: Evaluated, folder: Path) -> None:
    write_text(folder / EVALUATED, evaluated.model_dump_json(indent=1) + "\n")


def read_all_evaluated(folder: Path) -> list[Evaluated]:
    """Read those of every folder in `folder`, by name; none if it is not there."""
    paths = sorted(folder.glob(f"*/{EVALUATED}"))
    return [read_model(Evaluated, path, "cifarbench evaluate") for path in paths]
