"""What spreadsheets, Markdown and LaTeX would take for their own is text in the tables."""

import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from cifarbench.report.tables import for_csv, for_latex, for_markdown, write_tables
from helpers.repository import REPOSITORY


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("x")'])
def test_no_cell_is_a_formula(text: str) -> None:
    assert for_csv(text) == f"'{text}"
    assert for_csv(f"a{text}") == f"a{text}"


def test_a_text_is_one_line_of_no_markup() -> None:
    assert for_markdown("a|b\n<b>*c*</b> `d` [e](f) g_h \\") == (
        r"a\|b &lt;b&gt;\*c\*&lt;/b&gt; \`d\` \[e\](f) g\_h \\"
    )
    assert for_latex("50 % & #1 $x_1^2$ {a} [b] ~ | < \\\n*") == (
        r"50 \% \& \#1 \$x\_1\textasciicircum{}2\$ \{a\} {[}b] \textasciitilde{} \textbar{} \textless{} "
        r"\textbackslash{} {*}"
    )


def test_numbers_and_heads_keep_their_kind(tmp_path: Path) -> None:
    write_tables({"t": pd.DataFrame({"=a|b": ["-x", "y"], "n": [-1.5, None]})}, tmp_path)
    assert (tmp_path / "t.csv").read_text() == "'=a|b,n\n'-x,-1.5\ny,\n"
    assert (tmp_path / "t.md").read_text().startswith(r"| =a\|b")
    assert r"=a\textbar{}b & n" in (tmp_path / "t.tex").read_text()
    assert pd.read_parquet(tmp_path / "t.parquet").columns.tolist() == ["=a|b", "n"]


HOSTILE = ["50 % & #1 $x_1^2$ {a} [b] ~ | < \\\n*", "\\input{x}", "[2cm]", "*", "Größe ± 3", "a\\\\b"]
DOCUMENT = r"""\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\begin{document}\tiny
%s
\end{document}"""


# CI installs no TeX for this alone; the escapes are tested above without it.
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_takes_every_table(tmp_path: Path) -> None:
    write_tables({"hostile": pd.DataFrame(dict.fromkeys(HOSTILE, HOSTILE) | {"n": 1.5})}, tmp_path)
    tables = [tmp_path / "hostile.tex", *sorted((REPOSITORY / "reports/tables").glob("*.tex"))]
    assert len(tables) > 4
    inputs = "\n\n".join(rf"\input{{{table}}}" for table in tables)
    (tmp_path / "all.tex").write_text(DOCUMENT % inputs)
    call = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
