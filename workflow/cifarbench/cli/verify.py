"""Replay recorded runs with the code that is here, and say whether it still trains them the same.

example: cifarbench verify reports/runs.parquet
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

from cifarbench.analysis.known import read_known
from cifarbench.analysis.table import records_in
from cifarbench.cli.arguments import a_folder, a_path, add_data, config_in
from cifarbench.cli.progress import RUNS, working
from cifarbench.errors import UserError
from cifarbench.models.catalogue import BUILTIN_MODELS
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.plan.stored import read_plan
from cifarbench.records.folder import RECORD
from cifarbench.records.record import Record, read_record
from cifarbench.records.verified import VERIFIED, read_verified, write_verified

OUTCOMES = {
    "bits": "same to the bit",
    "fingerprint": "same by fingerprint",
    "differs": "differs",
    "not replayed": "not replayed",
}


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "what",
        type=a_path,
        nargs="?",
        default=Path("results/plan.json"),
        help="plan, table that `collect` wrote, archive of runs, or a config, if it has models of its own "
        "(default: results/plan.json)",
    )
    verb.add_argument(
        "--runs",
        type=a_folder,
        help="folder with one folder a run (default: `runs` beside plan.json, for a config results/runs)",
    )
    add_data(verb)
    verb.add_argument("--again", action="store_true", help="also what the code here has replayed already")


def run(args: argparse.Namespace) -> None:
    records, models, folder = recorded(args.what, args.runs)
    if not records:
        raise UserError(f"{args.what}: no run has a record, so there is nothing to verify; train first")
    from cifarbench.sweep.verify import not_yet, verify

    verified, outcomes = read_verified(folder), Counter[str]()
    left = records if args.again else not_yet(records, verified, models)
    outcomes["verified before"] = len(records) - len(left)
    with working("verifying", RUNS, len(left)) as count:
        for runs, found in verify(left, args.data, models, verified):
            if found.verification:
                verified = verified.with_new([found.verification])
                write_verified(verified, folder)  # at once, so that a stop loses little
            outcomes[found.outcome] += len(runs)
            count.update(len(runs))
            print(f"{', '.join(runs)}: {OUTCOMES[found.outcome]}{found.words}", flush=True)
    print("; ".join(f"{number} {OUTCOMES.get(name, name)}" for name, number in outcomes.items() if number))
    if outcomes["not replayed"] == len(records):
        raise UserError("nothing could be replayed, so nothing is verified; each line above says why")
    if len(left) > outcomes["not replayed"]:
        print(f"Written to {folder / VERIFIED}, where the report and `cifarbench status` find it.")
    if outcomes["differs"]:
        sys.exit(1)


def recorded(what: Path, runs: Path | None) -> tuple[list[Record], dict[str, Path], Path]:
    """Return the records, the files of their models, and the folder that says what is verified."""
    if what.exists() and what.suffix not in (".json", ".yaml", ".yml"):
        return records_in(read_known(what)), BUILTIN_MODELS, what.parent
    if what.suffix == ".json":
        folder = runs or what.parent / "runs"
        return records_of(read_plan(what), folder), BUILTIN_MODELS, folder.parent
    config, folder = config_in(what), runs or Path("results/runs")
    own = {model.name: Path(model.file) for model in config.models}
    return records_of(make_plan(config), folder), BUILTIN_MODELS | own, folder.parent


def records_of(plan: Plan, runs: Path) -> list[Record]:
    paths = [runs / run.id / RECORD for run in plan.runs]
    return [read_record(path) for path in paths if path.exists()]
