"""The JSON schema of config.yaml, from the typed config."""

from collections.abc import Iterable
from typing import Any

from cifarbench.config.benchmark import Config
from cifarbench.config.knobs import TrainConfig
from cifarbench.config.sampling import ALLOWED
from cifarbench.config.schedule import Schedule


def json_schema(formats: Iterable[str]) -> dict[str, Any]:
    """Return the JSON schema of config.yaml: each knob may be a value, a list of values (an axis) or a
    distribution.

    `formats` are those of data sets, which are known on a floor above.
    """
    schema = Config.model_json_schema()
    format = schema["$defs"]["Dataset"]["properties"]["format"]
    format["anyOf"] = [{"enum": list(formats)}, {"type": "null"}]
    train = TrainConfig.model_json_schema()
    schema["$defs"]["Distribution"] = {"type": "object", "minProperties": 1, "maxProperties": 1} | {
        "properties": {name: {"type": "array", "description": what} for name, what in ALLOWED.items()},
        "additionalProperties": False,
    }
    drawn = {"$ref": "#/$defs/Distribution"}
    axes = {
        name: {"anyOf": [knob, {"type": "array", "items": knob, "minItems": 1}, drawn]}
        for name, knob in train["properties"].items()
    }
    axes["seed"]["anyOf"][-1] = Schedule.model_json_schema()
    schema["$defs"]["Knobs"] = {"type": "object", "properties": axes, "additionalProperties": False}
    reference = {"$ref": "#/$defs/Knobs"}
    study = schema["$defs"]["Study"]["properties"]
    label = {"type": "string", "description": "what the report calls this run"}
    samples = {"type": "integer", "minimum": 1, "description": "how often what is a distribution is drawn"}
    about = {"label": label, "samples": samples}
    entry = {"type": "object", "properties": {**about, **axes}, "additionalProperties": False}
    study["runs"]["items"] = entry
    for properties in (schema["properties"], study):
        properties["defaults"] = {**reference, "description": properties["defaults"]["description"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
