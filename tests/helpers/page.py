"""A report's page as a reader has it: its text, its ids, and the rows behind its charts."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd

from cifarbench.analysis.results import Results
from cifarbench.plan.plan import Plan
from cifarbench.report.page import page as written_page
from cifarbench.report.section import all_sections
from cifarbench.report.tables import all_tables


def page_of(plan: Plan, table: pd.DataFrame, **more: Any) -> str:
    """Return the page alone, without the files beside it, which take longer."""
    results = Results(plan, table, **more)
    return written_page(results, list(all_sections(results)), list(all_tables(results)))


class Text(HTMLParser):
    """Collects ids and the text that a reader sees, and demands that tags are balanced."""

    VOID = ("meta", "br", "path", "use", "rect", "link", "img", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attributes if name == "id" and value]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attributes if name == "id" and value]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "script" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def rows_of(page: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script type="application/json" id="rows-{name}">(.*?)</script>', page)
    assert found
    return dict(json.loads(found[1]))
