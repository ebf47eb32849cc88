"""Import a model's file, with what lies beside it, so that nothing of it is in the way of another model."""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from cifarbench.errors import UserError
from cifarbench.models.libraries import LibraryModel
from cifarbench.models.sources import model_sources


def import_file(path: Path) -> ModuleType:
    """Import a model of the user's own, under a name that no other module has."""
    name = f"model_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a .py path always has both
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where a dataclass looks for its types
    with naming_the_place(path, "cannot be imported"):
        spec.loader.exec_module(module)
    return module


@contextmanager
def folder_on_path(path: Path) -> Iterator[None]:
    """Let what lies beside a model's file be imported, for now.

    Raise UserError for what is imported unseen by `model_sources`: an edit of it would train nothing again.
    """
    folder, modules, paths = path.resolve().parent, set(sys.modules), list(sys.path)
    # An environment with all its packages may lie below the folder.
    others = [Path(entry).resolve() for entry in paths if Path(entry).resolve() != folder]
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()

    def loaded() -> dict[str, Path]:
        """Return the new modules that were found below the folder, with their files."""
        new = {name: getattr(sys.modules[name], "__file__", None) for name in sys.modules.keys() - modules}
        files = {name: Path(file).resolve() for name, file in new.items() if file}
        inside = [entry for entry in others if entry.is_relative_to(folder)]
        return {
            name: file
            for name, file in files.items()
            if file.is_relative_to(folder) and not any(map(file.is_relative_to, inside))
        }

    try:
        yield
        expected = {file.resolve() for file in model_sources(path)}
        for file in loaded().values():
            if file not in expected:
                raise UserError(
                    f"{path}: imports {file.relative_to(folder)} unseen; write `import {file.stem}` at the "
                    "top, and keep it beside this file"
                )
    finally:
        sys.path[:] = paths
        for name in loaded():  # another model may have a file of the same name
            del sys.modules[name]


@contextmanager
def naming_the_place(source: Path | LibraryModel, what: str) -> Iterator[None]:
    """Turn whatever the code of a model raises into one line with the place in its files."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        folder = str(source.resolve().parent) if isinstance(source, Path) else source.library
        places = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(folder)]
        where = f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
        said = " ".join(str(error).split())
        raise UserError(f"{source}: {what}: {type(error).__name__}: {said}{where}") from error
