"""Render the report, one HTML file that opens offline: `cifarbench report PLAN TABLE --output reports`.

A pure function of the plan and the table of records: same inputs, same bytes. A section is one function
in `sections` and one line in SECTIONS there.
"""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from .. import __version__
from ..collect import write_table
from ..files import write_text
from ..plan import Plan, write_plan
from . import sections, words
from .results import Results

PAGE, PLAN, TABLE = "index.html", "plan.json", "runs.parquet"


def render(
    plan: Plan,
    table: pd.DataFrame,
    output: Path,
    speed: dict[str, Any] | None = None,
    baseline: pd.DataFrame | None = None,
) -> None:
    """Write the page into `output`, and beside it the plan and the table, from which it can be made again.

    `speed` is what `cifarbench bench` wrote, if it has run; `baseline` another table, to be compared with.
    """
    results = Results(plan, table, speed, baseline)
    made = [section for make in sections.SECTIONS for section in make(results)]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cifarbench", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=words.percent, number=words.number, spread=words.spread)
    script = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
    page = environment.get_template("page.html.j2").render(
        plan=plan,
        sections=made,
        summary=sections.summary(results),
        headline=sections.headline(results),
        version=__version__,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
    write_plan(plan, output / PLAN)
    write_table(table, output / TABLE)
    write_text(output / PAGE, page)
