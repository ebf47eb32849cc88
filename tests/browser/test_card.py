"""The commands on a figure's card, run in an empty folder, give the figure again."""

import os
import shutil
import subprocess
from pathlib import Path

import pandas as pd

from cifarbench.analysis.table import collect
from cifarbench.cli.parser import main
from cifarbench.config.benchmark import parse
from cifarbench.config.flags import flags
from cifarbench.plan.plan import make_plan
from cifarbench.report.page import render
from helpers.browser import chromium, open_offline
from helpers.repository import REPOSITORY, SMALL

SET_UP = ("make .venv/.ready", ". .venv/bin/activate")  # which takes minutes; the tests' own is used


def test_the_commands_of_a_card_give_its_figure_again(digits: Path, tmp_path: Path) -> None:
    study = {"name": "s", "title": "S", "runs": [{**SMALL, "model": "baseline", "learning_rate": 0.002}]}
    plan = make_plan(parse({"studies": [study]}))
    [run] = plan.runs
    output = tmp_path / "runs" / run.id
    assert main(["train", "--data", str(digits), "--output", str(output), *flags(run.config)]) == 0
    table = collect(plan, tmp_path / "runs", tmp_path / "runs.parquet")
    render(plan, table, tmp_path / "page")
    commands = commands_of((tmp_path / "page/index.html").as_uri() + f"#run={run.id}")
    said = again(commands, tmp_path / "empty")
    assert said == repr(float(table["final.test.top1"][0]))
    assert pd.notna(table["final.test.top1"][0])


def commands_of(address: str) -> list[str]:
    with chromium() as browser:
        page = open_offline(browser, address)
        return page.locator(".cite pre").inner_text().splitlines()


def again(commands: list[str], folder: Path) -> str:
    """Run the commands in an empty folder, with the sources as they lie here, and return their last line."""
    folder.mkdir()
    assert [line for line in commands if line in SET_UP] == list(SET_UP)
    clone, enter, checkout, *others = (line for line in commands if line not in SET_UP)
    script = "\n".join(
        ["set -e", clone.replace("ADDRESS-OF-THIS-REPOSITORY", str(REPOSITORY)), enter, checkout]
    )
    subprocess.run(["bash", "-c", script], cwd=folder, check=True, capture_output=True)
    shutil.copytree(REPOSITORY / "workflow", folder / "cifarbench/workflow", dirs_exist_ok=True)
    environment = {**os.environ, "PYTHONPATH": str(folder / "cifarbench/workflow")}
    result = subprocess.run(
        ["bash", "-c", "\n".join(["set -e", *others])],
        cwd=folder / "cifarbench",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()[-1]
