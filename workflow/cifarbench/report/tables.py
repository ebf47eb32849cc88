"""Tables beside the page, each as CSV, Parquet, Markdown and LaTeX: in percent, points and seconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from cifarbench.analysis.configuration import SHOWN, Configuration
from cifarbench.analysis.results import Results
from cifarbench.analysis.table import write_table
from cifarbench.files import write_text
from cifarbench.records.metrics import METRICS, Metric
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
        "configurations": pd.DataFrame([_configuration(c) for c in results.ranked]),
        "differences": pd.DataFrame(_differences(results)),
        "claims": pd.DataFrame(_claims(results)),
    }
    return {name: table for name, table in tables.items() if not table.empty}


def write_tables(tables: dict[str, pd.DataFrame], folder: Path) -> None:
    """Write each table in every form."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        write_table(table, folder / f"{name}.parquet")
        csv, markdown, latex = (_each_text(table, escape) for escape in (for_csv, for_markdown, for_latex))
        write_text(folder / f"{name}.csv", csv.to_csv(index=False, lineterminator="\n"))
        text = markdown.map(_written).to_markdown(index=False, disable_numparse=True)
        write_text(folder / f"{name}.md", f"{text}\n")
        write_text(folder / f"{name}.tex", latex.map(_written).to_latex(index=False))


def _each_text(table: pd.DataFrame, escape: Callable[[str], str]) -> pd.DataFrame:
    """Escape the heads and all texts, each of which becomes one line."""

    def escaped(value: Any) -> Any:
        return escape(printable(value)) if isinstance(value, str) else value

    return table.map(escaped).rename(columns=escaped)


def _written(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:.4g}" if isinstance(value, float) else str(value)


def for_csv(text: str) -> str:
    """Mark a text that a spreadsheet would take for a formula as a text."""
    return f"'{text}" if text.startswith(FORMULA) else text


def for_markdown(text: str) -> str:
    return " ".join(text.split()).translate(MARKDOWN)


def for_latex(text: str) -> str:
    return " ".join(text.split()).translate(LATEX)


def _configuration(c: Configuration) -> dict[str, Any]:
    row: dict[str, Any] = {
        "configuration": c.label,
        "id": c.key,
        "data set": c.first("data.name"),
        "model": c.first("config.model"),
        "seeds": len(c.runs),
    }
    for name in SHOWN:
        metric, seeds = METRICS[name], c.metrics.get(name)
        heading = metric.heading.lower()
        centre, low, high = seeds[1:] if seeds else (None, None, None)
        row[heading] = _scaled(centre, metric)
        if metric.varies:
            row |= {f"{heading}, low": _scaled(low, metric), f"{heading}, high": _scaled(high, metric)}
    return row


def _scaled(value: float | None, metric: Metric) -> float | None:
    return None if value is None else metric.factor * value


def _differences(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "study": measured.name,
            "best": measured.best.label,
            "other": rival.configuration.label,
            "seeds of the best": rival.difference.seeds[0],
            "seeds of the other": rival.difference.seeds[1],
            "difference (points)": 100 * interval.mean,
            "low": 100 * interval.low,
            "high": 100 * interval.high,
            "configurations in the family": rival.number,
            "told apart": "yes" if rival.differs else "no",
        }
        for measured in results.studies
        for rival in measured.rivals
        if rival.difference is not None and (interval := rival.interval) is not None
    ]


def _claims(results: Results) -> list[dict[str, Any]]:
    return [
        {
            "claim": judged.claim.says,
            "source": judged.claim.source,
            "verdict": judged.outcome,
            "seeds": judged.seeds,
            "reason": judged.reason,
        }
        for judged in results.verdicts
    ]
