"""What a section of the report is."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from cifarbench.report.figures import Drawing
from cifarbench.report.words import slug


class Section(NamedTuple):
    """A heading with an anchor, the block of page.html.j2 that lays it out, what that block shows, and the
    figures that go beside the page as files."""

    anchor: str
    title: str
    block: str
    content: dict[str, Any]
    drawings: Sequence[Drawing] = ()


def study_anchor(study: str) -> str:
    return slug(f"study-{study}")
