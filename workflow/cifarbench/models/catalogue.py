"""Where models are, and which knobs each one takes, read from its source so that torch is not needed.

A model is a Python file with a docstring (what it is, its source) and one function

    def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:

whose keyword arguments are the model knobs that it takes, each with the model's own default. One that must
know how large its images are takes `image_size: int = 32`, too: the side, in pixels, that it will see.
"""

import ast
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cifarbench.config.benchmark import Config
from cifarbench.config.knobs import MODEL_KNOBS, TrainConfig
from cifarbench.errors import UserError, suggest
from cifarbench.models.libraries import (
    STEMS,
    LibraryModel,
    check_arguments,
    class_of,
    library_model,
    library_of,
)
from cifarbench.models.sources import parse_source

SIDE_ARGUMENT = "image_size"
ModelSource = Path | LibraryModel  # a file, or what a library builds

BUILTIN_MODELS = {
    path.stem: path
    for path in sorted((Path(__file__).parent / "zoo").glob("*.py"))
    if not path.stem.startswith("_")
}


def model_source(config: Config, name: str) -> ModelSource:
    """Return where the model of that name comes from; the config's own come before the built-in ones."""
    return source_of(name, BUILTIN_MODELS | {model.name: Path(model.file) for model in config.models})


def source_of(name: str, files: Mapping[str, Path] = BUILTIN_MODELS, own: Path | None = None) -> ModelSource:
    """Return a file of the user's own, the one of that name, or the library's model that is called so."""
    if own or name in files:
        return own or files[name]
    if library_of(name) is not None:
        return library_model(name)
    of_library = "; or one of a library, as torchvision/resnet18"
    raise UserError(f"model: {name!r} is not known{suggest(name, files)}{of_library}")


def is_own(source: ModelSource) -> bool:
    """Tell whether a model is from a file of the user's own."""
    return isinstance(source, Path) and source not in BUILTIN_MODELS.values()


def needs_file(name: str) -> bool:
    """Tell whether a run of this model can be built only with a file of the user's own."""
    return name not in BUILTIN_MODELS and library_of(name) is None


def file_flags(name: str) -> list[str]:
    """Return the flag by which `cifarbench train` has a model, where the place of its file is not known."""
    return ["--model-file", "FILE"] if needs_file(name) else []


@cache
def model_knobs(source: ModelSource) -> dict[str, Any]:
    """Return the knobs that a model takes, with the model's own values."""
    if isinstance(source, LibraryModel):
        return {"stem": "library", "model_args": None}
    path, build = source, _build_function(source)
    positional = [*build.args.posonlyargs, *build.args.args]
    if len(positional) - len(build.args.defaults) > 1 or not positional:
        raise UserError(
            f"{path}: build() must take the number of classes and nothing else before its keywords: "
            "def build(classes, *, ...)"
        )
    knobs = {
        argument.arg: ast.literal_eval(default)
        for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
        if default is not None and argument.arg != SIDE_ARGUMENT
    }
    without_default = {argument.arg for argument in build.args.kwonlyargs} - {*knobs, SIDE_ARGUMENT}
    for name in (*without_default, *(knobs.keys() - set(MODEL_KNOBS))):
        raise UserError(
            f"{path}: build(): keyword {name!r} is not allowed: give it a literal default and a name among "
            + ", ".join(MODEL_KNOBS)
        )
    return knobs


def asks_for_side(path: Path) -> bool:
    """Tell whether a model's file must know how large its images are."""
    return SIDE_ARGUMENT in {argument.arg for argument in _build_function(path).args.kwonlyargs}


def check_model_knobs(config: TrainConfig, source: ModelSource) -> dict[str, Any]:
    """Return the model knobs that a run sets. Raise UserError for one that its model does not take."""
    chosen = {name: getattr(config, name) for name in MODEL_KNOBS if getattr(config, name) is not None}
    for name in chosen.keys() - model_knobs(source).keys():
        allowed = ", ".join(model_knobs(source)) or "no model knobs"
        raise UserError(
            f"{name}: {chosen[name]!r} has no effect on model {config.model!r}, which takes {allowed}; "
            "remove it"
        )
    if isinstance(source, LibraryModel):
        check_library_knobs(config, source)
    return chosen


def check_library_knobs(config: TrainConfig, source: LibraryModel) -> None:
    check_arguments(source, json.loads(config.model_args or "{}"))
    if config.stem == "small" and class_of(source) not in STEMS:
        raise UserError(
            f"stem: 'small' is not defined for {source}, only for models of the classes "
            f"{' and '.join(STEMS)} of torchvision and timm; remove it"
        )
    if config.initialization == "kaiming_uniform":
        raise UserError(
            f"initialization: 'kaiming_uniform' is not allowed: {source} keeps the initial weights that its "
            "library gives it; remove it, or choose another"
        )


def own_values(source: ModelSource) -> dict[str, Any]:
    """Return what holds for knobs left unset: the model's values, and PyTorch's BatchNorm in our models."""
    batch_norm = {"batch_norm_momentum": 0.1, "batch_norm_eps": 1e-5}
    return {**(batch_norm if source in BUILTIN_MODELS.values() else {}), **model_knobs(source)}


@cache
def model_summary(path: Path) -> str:
    """Return the first line of the model's docstring."""
    return (ast.get_docstring(parse_source(path)) or path.stem).splitlines()[0]


def _build_function(path: Path) -> ast.FunctionDef:
    tree = parse_source(path)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "build":
            return node
    raise UserError(f"{path}: has no function build(classes, *, ...); see examples/own-model")
