"""Time the report of made-up runs: `PYTHONPATH=tests python tests/helpers/bench_report.py --output FILE`.

Each size is rendered in a process of its own from a plan and a table on disk, then opened and sorted in a
headless Chromium. Times are in seconds, the page in MB, memory (the peak of the process) in GiB.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import expect, sync_playwright

from cifarbench.analysis.table import write_table
from cifarbench.plan.stored import write_plan
from helpers.picture import FLAGS
from helpers.synthetic import synthetic

# Runs: studies, configurations of each, seeds, and epochs.
SIZES = {200: (10, 4, 5, 20), 10_000: (10, 200, 5, 20)}
BUDGETS = {200: {"seconds": 10, "MB": 2.5}, 10_000: {"seconds": 180, "MB": 20, "GiB": 4}}


TIMED = """async () => {
  const start = performance.now();
  %s;
  await new Promise(requestAnimationFrame);
  return (performance.now() - start) / 1000;
}"""
TYPE = """
  const box = document.querySelector("[type=search]");
  box.value = "study=rates-1";
  box.dispatchEvent(new Event("input"))"""


def measure(runs: int, folder: Path) -> dict[str, Any]:
    studies, configurations, seeds, epochs = SIZES[runs]
    plan, table = synthetic(configurations, seeds, studies, epochs)
    assert len(plan.runs) == runs
    write_plan(plan, folder / "plan.json")
    write_table(table, folder / "runs.parquet")
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "cifarbench", "report", "plan.json", "runs.parquet", "--output", "."],
        cwd=folder,
    )
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0
    return {
        "runs": runs,
        "seconds": time.perf_counter() - start,
        "GiB": used.ru_maxrss / 2**20,
        "MB": (folder / "index.html").stat().st_size / 1e6,
        **opened(folder / "index.html"),
        "budget": BUDGETS[runs],
    }


def opened(page: Path) -> dict[str, float]:
    """Return the seconds until the page is drawn, charts too, and those of sorting and of filtering."""
    program = shutil.which("chromium")
    if program is None:
        return {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        tab = browser.new_page()
        start = time.perf_counter()
        tab.goto(page.as_uri())
        expect(tab.locator(".chart:not(:has(svg))")).to_have_count(0, timeout=120_000)
        drawn = time.perf_counter() - start
        sort = tab.evaluate(TIMED % "document.querySelector('[data-key=test_accuracy] button').click()")
        filtered = tab.evaluate(TIMED % TYPE)
        browser.close()
    return {"open": drawn, "sort": sort, "filter": filtered}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--runs", type=int, choices=SIZES, nargs="+", default=list(SIZES))
    args = parser.parse_args()
    found = []
    for runs in args.runs:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(runs, Path(folder)))
            print(json.dumps(found[-1]))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
