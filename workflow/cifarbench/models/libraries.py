"""The models of torchvision and timm: their names, what each takes, and the version that is installed.

Read from the sources of the libraries, so that neither they nor torch are imported.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cifarbench.errors import SHOWN, UserError, need_extra

LIBRARIES = ("torchvision", "timm")
REGISTERED = re.compile(r"^@register_model\b.*?^def (\w+)\(", re.DOTALL | re.MULTILINE)
# Arguments that have no say in what a network is, or that something else decides.
DECIDED = {
    "num_classes": "the data set decides it; remove it",
    "weights": "give a file as initial_weights instead",
    "pretrained": "give a file as initial_weights instead",
    "pretrained_cfg": "give a file as initial_weights instead",
    "in_chans": "images have three channels; remove it",
    "device": "it is a knob of its own; set that",
    "dtype": "the knob precision decides it; set that",
    "progress": "nothing is downloaded here; remove it",
}
# The classes for which a small stem is defined: their first convolution, and the pooling after it.
STEMS = {"ResNet": ("conv1", "maxpool"), "DenseNet": ("features.conv0", "features.pool0")}


@dataclass(frozen=True)
class LibraryModel:
    """A model as a library builds it; written `library/name`."""

    library: str
    name: str

    def __str__(self) -> str:
        return f"{self.library}/{self.name}"

    @property
    def version(self) -> str:
        """The library and its version, without what only says for which hardware it was built."""
        return f"{self.library} {version(self.library).partition('+')[0]}"


def library_of(model: str) -> str | None:
    """Return the library in the name of a model, written `library/name`; None for a model from a file."""
    library, slash, _ = model.partition("/")
    return library if slash else None


def library_model(text: str) -> LibraryModel:
    """Return the model that `library/name` means. Raise UserError if there is none of that name here."""
    library, _, name = text.partition("/")
    if library not in LIBRARIES:
        raise UserError(
            f"model: {text!r} is not known: before the / stands {' or '.join(LIBRARIES)}, "
            "as in torchvision/resnet18; a file of your own is named under `models`"
        )
    if name not in files_by_name(library):
        close = get_close_matches(name[:SHOWN], files_by_name(library), n=1)
        asked = f"; did you mean '{library}/{close[0]}'?" if close else ";"
        raise UserError(
            f"model: {text!r} is not known{asked} `cifarbench models --library {library}` lists all"
        )
    return LibraryModel(library, name)


@cache
def files_by_name(library: str) -> dict[str, Path]:
    """Return the file of each classifier of a library. Raise UserError if it is not installed."""
    need_extra(library, library)
    return {
        name: path
        for path in sorted(_folder(library).glob("*.py"))
        for name in REGISTERED.findall(path.read_text(encoding="utf-8"))
    }


def _folder(library: str) -> Path:
    spec = find_spec(library)  # which of a package on the top imports nothing
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], "models")


def check_arguments(model: LibraryModel, given: Mapping[str, Any]) -> None:
    """Raise UserError for an argument that the model does not take, as far as its sources tell."""
    takes = arguments(model)
    for name in given:
        if name in DECIDED:
            raise UserError(f"model_args: {name!r} is not allowed: {DECIDED[name]}")
        if takes is not None and name not in takes:
            close = get_close_matches(name, takes, n=1)
            asked = f"did you mean {close[0]!r}? " if close else ""
            raise UserError(
                f"model_args: {name!r} is no argument of {model}; {asked}"
                f"Allowed: {', '.join(sorted(takes)) or 'none'}"
            )


@cache
def arguments(model: LibraryModel) -> frozenset[str] | None:
    """Return the names that may stand in `model_args`; None where the sources do not tell.

    Those are what the class that the function is annotated with has a default for, and what the function
    takes out of its `kwargs` itself. A few of them the function sets to something else, and then refuses.
    """
    file = files_by_name(model.library)[model.name]
    build = _functions(file)[model.name]
    found = class_of(model) and _parameters(file, str(class_of(model)))
    if not found:
        return None
    called = {node.func.id for node in ast.walk(build) if _is_call(node)}  # type: ignore[attr-defined]
    helpers = [_functions(file)[name] for name in called & _functions(file).keys()]
    popped = {name for function in (build, *helpers) for name in _popped(function)}
    return frozenset(found | popped) - DECIDED.keys()


@cache
def class_of(model: LibraryModel) -> str | None:
    """Return the name of the class that the model's function says to return."""
    returns = _functions(files_by_name(model.library)[model.name])[model.name].returns
    return ast.unparse(returns).strip("'\"") if returns else None


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _functions(file: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in _parsed(file).body if isinstance(node, ast.FunctionDef)}


def _is_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def _popped(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the names that a function takes out of its `kwargs`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("kwargs.pop", "kwargs.get"):
            yield ast.literal_eval(node.args[0])


def _parameters(file: Path, name: str) -> set[str] | None:
    """Return the parameters with a default of a class's `__init__`, with those that it hands on to another.

    None where those are not known, or the class is not found in the file's folder.
    """
    for node in _parsed(file).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            own = [
                part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"
            ]
            if own and not _hands_on(own[0]):
                return _with_default(own[0])
            base = _parameters(file, ast.unparse(node.bases[0]))
            return base if base is None or not own else base | _with_default(own[0])
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            origin = file.with_name(f"{(node.module or '').rpartition('.')[2]}.py")
            return _parameters(origin, name) if origin.exists() else None
    return None


def _hands_on(init: ast.FunctionDef) -> bool:
    """Tell whether a function uses its `**kwargs`; torchvision has some that drop them in silence."""
    used = {node.id for node in ast.walk(init) if isinstance(node, ast.Name)}
    return init.args.kwarg is not None and init.args.kwarg.arg in used


def _with_default(init: ast.FunctionDef) -> set[str]:
    given = init.args
    positional = [*given.posonlyargs, *given.args]
    optional = positional[len(positional) - len(given.defaults) :]
    keywords = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    return {argument.arg for argument in (*optional, *(one for one, default in keywords if default))}
