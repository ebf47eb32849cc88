"""Where models are, and which knobs each one takes, read from its source so that torch is not needed.

A model is a Python file with a docstring (what it is, its source) and one function

    def build(classes: int, *, width: float = 1.0, activation: str = "relu") -> nn.Module:

whose keyword arguments are the model knobs that it takes, each with the model's own default.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Any

from cifarbench.config.benchmark import Config
from cifarbench.config.knobs import MODEL_KNOBS, TrainConfig
from cifarbench.errors import UserError, suggest
from cifarbench.models.sources import parse_source

BUILTIN_MODELS = {
    path.stem: path
    for path in sorted((Path(__file__).parent / "zoo").glob("*.py"))
    if not path.stem.startswith("_")
}


def model_file(config: Config, name: str) -> Path:
    """Return the source file of the model of that name; the config's own come before the built-in ones."""
    files = BUILTIN_MODELS | {model.name: Path(model.file) for model in config.models}
    if name not in files:
        raise UserError(f"model: {name!r} is not known" + suggest(name, files))
    return files[name]


@cache
def model_knobs(path: Path) -> dict[str, Any]:
    """Return the knobs that the model in this file takes, with the model's own values."""
    build = _build_function(path)
    positional = [*build.args.posonlyargs, *build.args.args]
    if len(positional) - len(build.args.defaults) > 1 or not positional:
        raise UserError(
            f"{path}: build() must take the number of classes and nothing else before its keywords: "
            "def build(classes, *, ...)"
        )
    knobs = {
        argument.arg: ast.literal_eval(default)
        for argument, default in zip(build.args.kwonlyargs, build.args.kw_defaults, strict=True)
        if default is not None
    }
    without_default = {argument.arg for argument in build.args.kwonlyargs} - set(knobs)
    for name in (*without_default, *(knobs.keys() - set(MODEL_KNOBS))):
        raise UserError(
            f"{path}: build(): keyword {name!r} is not allowed: give it a literal default and a name among "
            + ", ".join(MODEL_KNOBS)
        )
    return knobs


def check_model_knobs(config: TrainConfig, path: Path) -> dict[str, Any]:
    """Return the model knobs that a run sets. Raise UserError for one that its model does not take."""
    chosen = {name: getattr(config, name) for name in MODEL_KNOBS if getattr(config, name) is not None}
    for name in chosen.keys() - model_knobs(path).keys():
        allowed = ", ".join(model_knobs(path)) or "no model knobs"
        raise UserError(
            f"{name}: {chosen[name]!r} has no effect on model {config.model!r}, which takes {allowed}; "
            "remove it"
        )
    return chosen


def own_values(path: Path) -> dict[str, Any]:
    """Return what holds for knobs left unset: the model's values, and PyTorch's BatchNorm in our models."""
    batch_norm = {"batch_norm_momentum": 0.1, "batch_norm_eps": 1e-5}
    return {**(batch_norm if path in BUILTIN_MODELS.values() else {}), **model_knobs(path)}


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
