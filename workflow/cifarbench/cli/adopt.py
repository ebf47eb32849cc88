"""Take runs from known results, a table or an archive of runs, instead of training them.

example: cifarbench adopt reports/runs.parquet --plan results/plan.json
"""

import argparse
from pathlib import Path

from pydantic import ValidationError
from yaml import YAMLError

from cifarbench.analysis.adopt import adopt, choose, here
from cifarbench.cli.arguments import a_file, add_data, add_runs, say
from cifarbench.config.benchmark import Known
from cifarbench.config.reading import load
from cifarbench.errors import UserError, explain
from cifarbench.plan.stored import read_plan


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "known",
        type=known,
        nargs="+",
        help="table, zip, tar or folder of runs; as in a config also '{table: PATH, times: shared}'",
    )
    verb.add_argument("--plan", type=a_file, default=Path("results/plan.json"), help="file that `plan` wrote")
    add_runs(verb)
    add_data(verb)
    verb.add_argument(
        "--while-known", action="store_true", help="to be trained when the config does not name them any more"
    )
    verb.add_argument("--but", metavar="RUN", action="append", default=[], help="id of a run to leave alone")
    verb.add_argument(
        "--model-file",
        type=named_file,
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="Python file of a model of your own; may be given several times",
    )


def known(text: str) -> Known:
    try:
        return Known.model_validate(load(text) if text.startswith("{") else {"table": text})
    except ValidationError as error:
        raise argparse.ArgumentTypeError(explain(error, "known", Known.model_fields)) from None
    except YAMLError:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it is no YAML") from None


def named_file(text: str) -> tuple[str, Path]:
    name, equals, file = text.partition("=")
    if not (name and equals and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be NAME=FILE")
    return name, Path(file)


def run(args: argparse.Namespace) -> None:
    plan = read_plan(args.plan)
    found = choose(args.known, plan, here(plan, dict(args.model_file), args.data), args.runs, args.but)
    adopt(found, plan, args.runs, args.while_known)
    if not found.runs:
        raise UserError("\n".join(["nothing is taken", *found.in_words()]))
    for line in found.in_words():
        say(line)
