"""What a section of the report is, and how sections are found.

A section is a file in `sections/` with `PLACE`, by which sections are ordered, and `sections`, a function
from the results to sections that yields nothing when it has nothing to say; beside it lies the block of HTML
that lays it out, a template of the same name.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from cifarbench.analysis.results import Results
from cifarbench.report.drawing import Plot
from cifarbench.report.words import slug

FOLDER = Path(__file__).parent / "sections"


class Section(NamedTuple):
    """A heading with an anchor, the block that lays it out and what that shows, the figures that go beside
    the page as files, the group of the menu that it is in, and the parts that the menu names below it."""

    anchor: str
    title: str
    block: str
    content: dict[str, Any]
    plots: Sequence[Plot] = ()
    group: str = ""
    parts: Sequence[tuple[str, str]] = ()


def all_sections(results: Results) -> Iterator[Section]:
    names = [path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"]
    modules = [import_module(f"cifarbench.report.sections.{name}") for name in names]
    for module in sorted(modules, key=lambda module: module.PLACE):
        yield from module.sections(results)


def study_anchor(study: str) -> str:
    return slug(f"study-{study}")


def project_anchor(project: str) -> str:
    return slug(f"claims-{project}")
