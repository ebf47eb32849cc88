"""What training asks of pydantic, whose core is compiled and so cannot travel in a bundle.

Nothing is checked but the names of fields: the configurations were checked where the bundle was made, and the
records are when they come home. Values of JSON become what the annotations say: models, tuples.
"""

import copy
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Any, Self, Union, get_args, get_origin, get_type_hints

MISSING = object()

PositiveFloat = float
ConfigDict = dict


class ValidationError(ValueError):
    def __init__(self, kind: str, place: str, message: str) -> None:
        super().__init__(message)
        self.fault = {"type": kind, "loc": (place,) if place else (), "msg": message, "input": place}

    def errors(self) -> list[dict[str, Any]]:
        return [self.fault]


class Field:
    def __init__(
        self, default: Any = MISSING, exclude_if: Callable[[Any], bool] | None = None, **_: Any
    ) -> None:
        self.default, self.exclude_if = default, exclude_if


class Unheeded:
    """A part of an annotation that is for checks, or for JSON of another form."""

    def __init__(self, *_: Any, **__: Any) -> None: ...


AfterValidator = BeforeValidator = WrapValidator = PlainSerializer = WithJsonSchema = Unheeded
ValidationInfo = ValidatorFunctionWrapHandler = Any


def model_validator(mode: str) -> Callable[[Any], Any]:
    return lambda method: method


def field_validator(*_: str, mode: str) -> Callable[[Any], Any]:
    return lambda method: method


class BaseModel:
    model_fields: dict[str, Field]

    def __init_subclass__(cls) -> None:
        own = {}
        for name in inspect.get_annotations(cls):
            given = cls.__dict__.get(name, MISSING)
            own[name] = given if isinstance(given, Field) else Field(given)
        cls.model_fields = {**getattr(cls, "model_fields", {}), **own}

    def __init__(self, **values: Any) -> None:
        for name in values.keys() - self.model_fields.keys():
            raise ValidationError("extra_forbidden", name, "unknown key")
        for name, field in self.model_fields.items():
            value = values.get(name, field.default)
            if value is MISSING:
                raise ValidationError("missing", name, "missing")
            given = typed(self.types()[name], value) if name in values else copy.deepcopy(value)
            self.__dict__[name] = given

    @classmethod
    @cache
    def types(cls) -> dict[str, Any]:
        return get_type_hints(cls)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, self.__dict__[name]) for name in self.model_fields)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash(tuple(self))

    def model_copy(self, update: Mapping[str, Any]) -> Self:
        other = copy.copy(self)
        other.__dict__.update(update)
        return other

    def model_dump(self) -> dict[str, Any]:
        fields = self.model_fields
        return {n: plain(v) for n, v in self if not (hide := fields[n].exclude_if) or not hide(v)}

    def model_dump_json(self, indent: int | None = None) -> str:
        return json.dumps(self.model_dump(), indent=indent, ensure_ascii=False, allow_nan=False)

    @classmethod
    def model_validate(cls, content: Any) -> Self:
        if not isinstance(content, Mapping):
            raise ValidationError("model_type", "", "it must be a mapping")
        return cls(**content)

    @classmethod
    def model_validate_json(cls, text: bytes | str) -> Self:
        try:
            return cls.model_validate(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise ValidationError("json_invalid", "", f"it is no such JSON: {error}") from None


def typed(wanted: Any, value: Any) -> Any:
    """Turn what JSON has into what an annotation wants, where the two differ."""
    origin, parts = get_origin(wanted), get_args(wanted)
    if origin in (Union, UnionType):
        found = (new for part in parts if (new := typed(part, value)) is not value)
        return next(found, value)
    if isinstance(value, dict):
        if isinstance(wanted, type) and issubclass(wanted, BaseModel):
            return wanted(**value)
        return {key: typed(parts[1], one) for key, one in value.items()} if parts else value
    if isinstance(value, list) and origin in (list, tuple):
        return origin(typed(parts[0], one) for one in value)
    return value


def plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value
