"""Tables beside the page, each as CSV, Parquet, Markdown and LaTeX: in percent, points and seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from cifarbench.analysis.configuration import Configuration, shown
from cifarbench.analysis.contrasts import contrasts
from cifarbench.analysis.published import Beside
from cifarbench.analysis.results import Results
from cifarbench.analysis.table import write_table
from cifarbench.analysis.verdicts import Verdict
from cifarbench.files import write_text
from cifarbench.records.metrics import METRICS
from cifarbench.report.words import printable

KINDS = ("csv", "parquet", "md", "tex")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet computes a cell that begins so
MARKDOWN = str.maketrans(
    {mark: f"\\{mark}" for mark in "\\`*_[]|~"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
        "[": "{[}",  # at a row's begin, it would be an argument of the line break before
        "*": "{*}",
    }
)


def all_tables(results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables that have rows, by name."""
    tables = {
        "configurations": pd.DataFrame([_configuration(c, shown(results.ranked)) for c in results.ranked]),
        "differences": pd.DataFrame(_differences(results)),
        "claims": pd.DataFrame(_claims(results)),
        "published": pd.DataFrame(_published(results)),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each table in every form."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_table(table, folder / f"{name}.parquet")
        csv, latex = (_each_text(table, escape) for escape in (for_csv, for_latex))
        write_text(folder / f"{name}.csv", csv.to_csv(index=False, lineterminator="\n"))
        write_text(folder / f"{name}.md", as_markdown(table) + "\n")
        write_text(folder / f"{name}.tex", booktabs(latex, table))


def as_markdown(table: pd.DataFrame) -> str:
    sides = ["right" if is_number(table[name]) else "left" for name in table]
    written = _each_text(table, for_markdown).map(_written)
    return str(written.to_markdown(index=False, disable_numparse=True, colalign=sides))


def _each_text(table: pd.DataFrame, escape: Callable[[str], str]) -> pd.DataFrame:
    """Escape the heads and all texts, each of which becomes one line."""

    def escaped(value: Any) -> Any:
        return escape(printable(value)) if isinstance(value, str) else value

    return table.map(escaped).rename(columns=escaped)


def booktabs(escaped: pd.DataFrame, table: pd.DataFrame) -> str:
    """Return a table for the package booktabs, numbers to the right."""
    sides = "".join("r" if is_number(table[name]) else "l" for name in table)
    return "% Needs \\usepackage{booktabs}.\n" + escaped.map(_written).to_latex(
        index=False, column_format=sides
    )


def is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def _written(value: Any) -> str:
    """Write a value in few digits; whole numbers whole."""
    if not isinstance(value, float):
        return str(value)
    return "" if pd.isna(value) else f"{value:.0f}" if value == int(value) else f"{value:.4g}"


def for_csv(text: str) -> str:
    """Mark a text that a spreadsheet would take for a formula as a text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def for_markdown(text: str) -> str:
    return " ".join(text.split()).translate(MARKDOWN)


def for_latex(text: str) -> str:
    return " ".join(text.split()).translate(LATEX)


def _configuration(c: Configuration, metrics: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "configuration": c.label,
        "id": c.key,
        "data set": c.first("data.name"),
        "model": c.first("config.model"),
        "n": len(c.runs),
    }
    for name in metrics:
        metric, seeds = METRICS[name], c.metrics.get(name)
        heading = metric.heading.lower()
        row[heading] = None if seeds is None else metric.factor * seeds.centre
        if metric.varies:
            for end in ("low", "high"):
                value = None if seeds is None else getattr(seeds, end)
                row[f"{heading} {end}"] = None if value is None else metric.factor * value
    return row


def _differences(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "study": measured.name,
            "first": contrast.first.label,
            "second": contrast.second.label,
            "n first": len(contrast.first.runs),
            "n second": len(contrast.second.runs),
            "difference (points)": 100 * contrast.rival.interval.mean,
            "low": 100 * contrast.rival.interval.low,
            "high": 100 * contrast.rival.interval.high,
            "p": contrast.rival.p,
            "told apart": "yes" if contrast.rival.differs else "no",
        }
        for measured in results.studies
        for contrast in contrasts(measured)
        if contrast.rival.interval is not None
    ]


def _claims(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "claim": verdict.claim.says,
            "source": verdict.claim.source,
            "counted": "no" if verdict.uncounted else "yes",
            "reproduced as published": verdict.outcome,
            "n": verdict.seeds,
            "published": _values(verdict, verdict.claim.statement.published),
            "measured": _values(verdict, verdict.measured),
            "p": verdict.ruling.p,
            "n needed": verdict.ruling.seeds_needed,
            "reason": verdict.ruling.reason,
            "explanation": verdict.claim.explanation.because if verdict.claim.explanation else None,
            "explanation is": verdict.explanation[0] if verdict.explanation else None,
            "reason of that": verdict.explanation[1] if verdict.explanation else None,
        }
        for verdict in results.judged.claims
    ]


def _values(verdict: Verdict, values: list[float]) -> str:
    metric = METRICS[verdict.claim.statement.quantities[0].metric]
    return "; ".join(metric.write(value) for value in values)


def _published(results: Results) -> list[dict[str, Any]]:
    return [
        {"table": judged.table.id, "source": judged.table.source, "row": row.label, **_beside(name, of)}
        for judged in results.judged.tables
        for row, cells in zip(judged.table.rows, judged.cells, strict=True)
        for name, of in zip(judged.table.columns, cells, strict=True)
        if of is not None
    ]


def _beside(name: str, of: Beside) -> dict[str, Any]:
    """Return a printed figure and ours in the metric's unit, or times as the ratios that they are."""
    metric = METRICS[name]
    heading, factor = (metric.heading, metric.factor) if of.ruling else (f"{metric.title} (ratio)", 1)
    ours = [None] * 3 if of.ours is None else [of.ours.centre, of.ours.low, of.ours.high]
    figures = zip(("published", "ours", "low", "high"), [of.published, *ours], strict=True)
    return {
        "metric": heading.lower(),
        **{title: None if value is None else factor * value for title, value in figures},
        "n": len(of.ours.values) if of.ours else 0,
        "verdict": of.ruling.outcome if of.ruling else "not judged",
    }
