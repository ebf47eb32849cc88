"""The table of results in the README, from the published records: `python tests/helpers/readme_table.py`."""

from pathlib import Path

from cifarbench.analysis.configuration import Configuration
from cifarbench.analysis.results import Results
from cifarbench.analysis.table import read_results
from cifarbench.plan.stored import read_plan
from cifarbench.report.words import spread
from cifarbench.words import listed

REPORTS = Path(__file__).parents[2] / "reports"
ENOUGH = 3  # runs, without which there is no interval


def readme_table() -> str:
    """Return the most accurate configuration of each model that has enough runs, best first, in Markdown."""
    plan = read_plan(REPORTS / "plan.json")
    results = Results(plan, read_results(plan, REPORTS / "runs.parquet"))
    best: dict[str, Configuration] = {}
    for found in results.ranked:
        if len(found.runs) >= ENOUGH:
            best.setdefault(found.first("config.model"), found)
    head = ["model", "test accuracy (95 % interval)", "training time", "runs"]
    rows = [
        [
            f"`{model}`",
            spread(found.metrics["test_accuracy"], "test_accuracy"),
            spread(found.metrics["seconds"], "seconds") if "seconds" in found.metrics else "not timed alone",
            str(len(found.runs)),
        ]
        for model, found in best.items()
    ]
    table = [head, ["---"] * len(head), *rows]
    hardware = listed([str(name) for name in results.distinct("environment.device_name")])
    lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([*lines, "", f"Hardware: one thread of {hardware}, which did other work at times."])


if __name__ == "__main__":
    print(readme_table())
