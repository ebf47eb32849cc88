"""How the page is cited: author, title, version and address from CITATION.cff, and the results' date."""

from pathlib import Path

import yaml

from cifarbench import __version__
from cifarbench.analysis.results import Results

FILE = Path(__file__).parents[3] / "CITATION.cff"  # not there if the package was installed alone


def citation(results: Results) -> dict[str, str]:
    """Return what is known, as texts; `address` is empty where the file gives none."""
    known = yaml.safe_load(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    authors = [author.get("name", "") for author in known.get("authors", [])]
    finished = results.distinct("finished")
    return {
        "author": " and ".join(authors) or "cifarbench",
        "title": results.plan.title,
        "version": __version__,
        "date": str(finished[-1])[:10] if finished else "",
        "address": str(known.get("repository-code", "")),
    }
