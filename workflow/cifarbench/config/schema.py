"""The JSON schema of config.yaml, from the typed config."""

from collections.abc import Iterable
from typing import Any

from cifarbench.config.benchmark import Config
from cifarbench.config.knobs import TrainConfig


def json_schema(formats: Iterable[str]) -> dict[str, Any]:
    """Return the JSON schema of config.yaml: each knob may be a value or a list of values (an axis).

    `formats` are those of data sets, which are known on a floor above.
    """
    schema = Config.model_json_schema()
    format = schema["$defs"]["Dataset"]["properties"]["format"]
    format["anyOf"] = [{"enum": list(formats)}, {"type": "null"}]
    train = TrainConfig.model_json_schema()
    axes = {
        name: {"anyOf": [knob, {"type": "array", "items": knob, "minItems": 1}]}
        for name, knob in train["properties"].items()
    }
    schema["$defs"]["Knobs"] = {"type": "object", "properties": axes, "additionalProperties": False}
    reference = {"$ref": "#/$defs/Knobs"}
    study = schema["$defs"]["Study"]["properties"]
    label = {"type": "string", "description": "what the report calls this run"}
    entry = {"type": "object", "properties": {"label": label, **axes}, "additionalProperties": False}
    study["runs"]["items"] = entry
    for properties in (schema["properties"], study):
        properties["defaults"] = {**reference, "description": properties["defaults"]["description"]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
