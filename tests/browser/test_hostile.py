"""Texts of config, plan, table and log that try to become markup, scripts, patterns or templates."""

import re
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser

from cifarbench.analysis.pictures import png
from cifarbench.plan.plan import Plan
from cifarbench.report.page import render
from cifarbench.report.words import printable
from helpers.browser import chromium, open_offline
from helpers.claims import with_claims
from helpers.synthetic import synthetic

EVIL = (
    r"""<script>document.title="in"</script><img src=x onerror='document.title="in"'></style></script>"""
    r"""</title>-->\1\g<0>\074meta http-equiv="refresh" content="0;url=about:blank">"'` {{ 7 * 7 }}{% x %}"""
    "${HOME}$x_1$ %s %(a)s C:\\data #010203 #0072b2 font-family: x; "
    "&lt;&amp \x00\x07\x1b[31m\x7f\x85\ufffe|=1+1"
)
# Not texts but names that the code compares; the config's own are checked against the allowed ones.
NAMES = {
    "status",
    "state",
    "final.chosen_by",
    "kind",
    "metric",
    "schema_version",
    "config",
    "datasets",
    "varied",
    "compare",
}


class Poison:
    """Puts a number and EVIL behind each text, the same for equal texts, so that keys stay keys."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def __call__(self, value: Any, key: str = "") -> Any:
        if key in NAMES or (key.startswith("config.") and key not in ("config.model", "config.dataset")):
            return value
        if isinstance(value, str):
            return self.texts.setdefault(value, f"{value}§{len(self.texts)}§{EVIL}")
        if isinstance(value, dict):
            return {self(k) if key == "labels" else k: self(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self(item, key) for item in value]
        return value


def hostile(plan: Plan, table: pd.DataFrame) -> tuple[Plan, pd.DataFrame, Poison]:
    poison = Poison()
    changed = table.apply(lambda column: column.map(lambda value: poison(value, column.name)))
    return Plan.model_validate(poison(plan.model_dump(mode="json"))), changed, poison


def results() -> tuple[Plan, pd.DataFrame, pd.DataFrame]:
    plan, table = synthetic(status={0: "missing", 1: "missing", 2: "missing", 5: "diverged"})
    table.loc[0, ["last_words", "state"]] = ["Traceback\nRuntimeError: oh", "failed"]
    table.loc[1, ["last_words", "state"]] = ["predictions.safetensors: cannot be read", "broken"]
    keys = table["configuration"].drop_duplicates().tolist()[1:]
    picture = {
        "dataset": "cifar10",
        "image": 1,
        "label": 3,
        "wrong": 0.5,
        "png": png(np.zeros((3, 8, 8), np.uint8)),
    }
    pictures = pd.DataFrame([{**picture, "answers": [3, 4, 5], "configurations": keys}])
    return with_claims(plan), table, pictures


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


MARKUP = """() => ["script", "meta", "style", "img", "iframe", "link", "base", "form", "h2", "[onerror]"]
  .map(name => document.querySelectorAll(name).length)"""
TEXTS = """() => {
  const kinds = NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT;
  const found = [], walk = document.createTreeWalker(document, kinds);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) {
      if (!["SCRIPT", "STYLE"].includes(node.parentNode.nodeName)) found.push(node.data);
    } else found.push(...[...node.attributes].map(attribute => attribute.value));
  }
  return found.filter(text => text.includes("§"));
}"""


def test_no_text_becomes_anything_else(browser: Browser, tmp_path: Path) -> None:
    plan, table, pictures = results()
    render(plan, table, tmp_path / "harmless", pictures=pictures)
    expected = open_offline(browser, (tmp_path / "harmless/index.html").as_uri()).evaluate(MARKUP)

    plan, table, poison = hostile(plan, table)
    pictures["dataset"] = pictures["dataset"].map(poison)
    pictures["configurations"] = pictures["configurations"].map(poison)
    render(plan, table, tmp_path / "hostile", pictures=pictures)
    address = (tmp_path / "hostile/index.html").as_uri()
    page = open_offline(browser, address)
    assert page.evaluate(MARKUP) == expected
    assert page.url == address
    assert page.title() == printable(plan.title)
    shown = page.evaluate(TEXTS)
    assert set(poisoned(shown, poison)) >= {"title", "question", "log", "claim", "class", "label", "device"}
    assert {path.parent.name for path in (tmp_path / "hostile").rglob("*.svg")} == {"figures"}


def poisoned(shown: list[str], poison: Poison) -> Iterator[str]:
    """Yield which of the texts are shown, and demand that each is whole and as it was."""
    places = {
        "Synthetic": "title",
        "Does the learning rate matter?": "question",
        "Traceback\nRuntimeError: oh": "log",
        "w": "claim",
        "d": "class",
        "learning rate 0.004": "label",
        "Synthetic Processor": "device",
    }
    by_number = {match[1]: text for text in poison.texts.values() if (match := re.search("§(\\d+)§", text))}
    origin = {number: places.get(text.partition("§")[0], "") for number, text in by_number.items()}
    for text in (text.replace("'\"'\"'", "'") for text in shown):  # as commands quote it
        for match in re.finditer("§(\\d+)§", text):
            whole = printable(by_number[match[1]]).partition("§")[2].partition("§")[2]
            rest = text[match.end() :].removesuffix("…").rstrip()
            words = [" ".join(part.casefold().split()) for part in (rest, whole)]
            assert words[0].startswith(words[1]) or ("…" in text and words[1].startswith(words[0])), text
            yield origin[match[1]]


def test_the_files_beside_the_page_are_whole(tmp_path: Path) -> None:
    plan, table, _ = hostile(*results()[:2])
    render(plan, table, tmp_path)
    drawings = list(tmp_path.glob("figures/*.svg"))
    assert drawings
    for drawing in drawings:
        xml.etree.ElementTree.parse(drawing)
    for name in ("configurations", "differences", "claims"):
        rows = len(pd.read_parquet(tmp_path / f"tables/{name}.parquet"))
        assert len(pd.read_csv(tmp_path / f"tables/{name}.csv")) == rows
        markdown = (tmp_path / f"tables/{name}.md").read_text().splitlines()
        assert len(markdown) == rows + 2
        bars = [len(re.findall(r"(?<!\\)\|", line)) for line in markdown]
        assert len(set(bars)) == 1
        assert "<" not in "".join(markdown)
        latex = (tmp_path / f"tables/{name}.tex").read_text()
        assert latex.startswith("% Needs ")
        bare = re.sub(r"\A%.*|\\[&%$#_{}]|\\[a-z]+\{\}", "", latex)
        assert not re.search(r"[%$#^~|<>]", bare)
        counts = [line.count("&") for line in bare.splitlines() if "&" in line]
        assert len(set(counts)) == 1
