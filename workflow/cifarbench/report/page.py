"""Render the report, one HTML file that opens offline: `cifarbench report PLAN TABLE --output reports`.

A pure function of the plan, the table of records and the pictures: same inputs, same bytes.
"""

import base64
import functools
import hashlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from cifarbench.analysis.results import Results
from cifarbench.analysis.table import write_table
from cifarbench.files import atomic, write_text
from cifarbench.plan.plan import Plan
from cifarbench.plan.stored import write_plan
from cifarbench.records.evaluated import Evaluated
from cifarbench.records.metrics import METRICS
from cifarbench.records.verified import Verified, write_verified
from cifarbench.report import answer, charts, words
from cifarbench.report.citation import citation
from cifarbench.report.drawing import Drawing
from cifarbench.report.readme import readme
from cifarbench.report.section import Section, all_sections
from cifarbench.report.sections.glossary import WORDS
from cifarbench.report.tables import KINDS, all_tables, write_tables
from cifarbench.words import count

PAGE, PLAN, TABLE, README = "index.html", "plan.json", "runs.parquet", "README.md"
FIGURES, TABLES, CAPTIONS = "figures", "tables", "captions.txt"


def render(
    plan: Plan,
    table: pd.DataFrame,
    output: Path,
    speed: dict[str, Any] | None = None,
    baseline: pd.DataFrame | None = None,
    pictures: pd.DataFrame | None = None,
    evaluated: Sequence[Evaluated] = (),
    verified: Verified | None = None,
) -> None:
    """Write the page into `output`, its figures and tables for papers beside it, a README, and the plan and
    the table from which it can be made again.

    `speed` is what `cifarbench bench` wrote, if it has run; `baseline` another table, to be compared with;
    `pictures` what `cifarbench pictures` wrote; `evaluated` what `cifarbench evaluate` did; `verified` what
    `cifarbench verify` found, which is told and kept beside the page.
    """
    verified = verified or Verified()
    results = Results(plan, table, speed, baseline, pictures, evaluated, verified)
    if results.ranked:
        charts.library()  # takes as long as the figures
    made = list(all_sections(results))
    tables = all_tables(results)
    write_plan(plan, output / PLAN)
    write_table(table, output / TABLE)
    write_verified(verified, output)
    write_figures([plot.draw() for section in made for plot in section.plots], output / FIGURES)
    write_tables(tables, output / TABLES)
    remove_others(output / TABLES, set(tables), KINDS)
    write_text(output / README, readme(results))
    write_text(output / PAGE, page(results, made, list(tables)))


@functools.cache
def templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cifarbench", "report"),  # macros, and blocks in sections/
        autoescape=True,
        finalize=words.printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=words.percent,
        number=words.number,
        duration=words.duration,
        spread=words.spread,
        count=count,
        json=as_json,
        sha256=sha256,
    )
    environment.globals.update(metrics=METRICS)
    return environment


def page(results: Results, made: list[Section], tables: list[str]) -> str:
    own = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
    drawn = bool(results.ranked)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            plan=results.plan,
            sections=made,
            menu=menu(made),
            summary=answer.summary(results),
            headline=answer.headline(results),
            words=WORDS,
            tables=tables,
            table_kinds=KINDS,
            citation=citation(results),
            charts=charts.specifications() if drawn else None,
            scripts=[*([charts.library().result()] if drawn else []), own],
        )
    )


def menu(made: list[Section]) -> list[tuple[str, list[tuple[str, str, Sequence[tuple[str, str]]]]]]:
    """Return the links of the menu, each with its parts, by the group that they stand in, if any."""
    return [
        (group, [(section.anchor, section.title, section.parts) for section in sections])
        for group, sections in itertools.groupby(made, key=lambda section: section.group)
    ]


def write_figures(drawings: list[Drawing], folder: Path) -> None:
    """Write each figure as SVG and PDF, and the captions of all."""
    folder.mkdir(parents=True, exist_ok=True)
    for drawing in drawings:
        write_text(folder / f"{drawing.name}.svg", drawing.svg)
        with atomic(folder / f"{drawing.name}.pdf") as temporary:
            temporary.write_bytes(drawing.pdf)
    if drawings:
        captions = "\n\n".join(f"{drawing.name}: {drawing.caption}" for drawing in drawings)
        write_text(folder / CAPTIONS, f"{captions}\n")
    else:
        (folder / CAPTIONS).unlink(missing_ok=True)
    remove_others(folder, {drawing.name for drawing in drawings}, ("svg", "pdf"))


def remove_others(folder: Path, names: set[str], kinds: Sequence[str]) -> None:
    """Remove the files of an earlier page that this one does not have."""
    for path in folder.iterdir():
        if path.suffix.removeprefix(".") in kinds and path.stem not in names:
            path.unlink()


def as_json(value: Any) -> Markup:
    """Write data for a script element, which ends at the first `</` whatever its type."""
    return Markup(json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", r"\u003c"))


def sha256(script: str) -> str:
    """Return a script's hash as the Content Security Policy wants it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
