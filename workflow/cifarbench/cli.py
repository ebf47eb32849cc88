"""The command line: `cifarbench <verb>`.

Exit codes: 0 done, 1 failed, 2 the call or its input is wrong, 75 stopped by a signal and saved.

Each step of the workflow is a verb. The flags of `train` and `models` come from `TrainConfig`. torch is
imported only by the verbs that need it, so that --help and the rest answer at once.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn, get_args

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from . import __version__
from .config import DatasetFormat, TrainConfig, json_schema, locate, parse, read
from .errors import UserError, explain, suggest
from .model_files import BUILTIN_MODELS, check_model_knobs, model_knobs
from .plan import canonical, format_value, make_plan, read_plan, summary, write_plan

INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: try again

Handler = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the list of all flags."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    args, unknown = parser().parse_known_args(argv)
    logging.basicConfig(level="INFO", format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    try:
        if unknown:
            raise UserError(f"{unknown[0]!r} is not understood" + suggest(unknown[0], flags_of(args)))
        args.handler(args)
    except UserError as error:
        print(f"cifarbench {args.verb}: error: {error}", file=sys.stderr)
        return 2
    return 0


def flags_of(args: argparse.Namespace) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in vars(args).keys() - {"handler", "verb"}]


def parser() -> argparse.ArgumentParser:
    root = Parser(
        prog="cifarbench",
        allow_abbrev=False,
        description="Train, compare and report small image classifiers.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: cifarbench train --model lenet5 --epochs 2 --data data/cifar10 --output /tmp/run",
    )
    root.add_argument("--version", action="version", version=__version__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(name: str, handler: Handler, help: str, example: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(
            name,
            help=help,
            description=f"{help}.",
            epilog=f"example: cifarbench {name} {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.set_defaults(handler=handler)
        return added

    add = verb("plan", plan, "Say which runs a config asks for", "config.yaml --output results/plan.json")
    add.add_argument("config", help="YAML file, or - for standard input")
    add.add_argument("--output", type=Path, help="where to write the plan, as JSON")

    add = verb(
        "download",
        download,
        "Fetch an archive and verify its checksum",
        "--url https://example.org/images.zip --sha256 2c26... --output data/mine/images.zip",
    )
    add.add_argument("--url", required=True)
    add.add_argument("--sha256", required=True, help="checksum that the file must have")
    add.add_argument("--output", type=Path, required=True, help="file to write")

    add = verb(
        "normalise",
        normalise,
        "Turn a data set into one file of images and a manifest",
        "--name digits --format digits --output data/digits",
    )
    add.add_argument("--name", required=True, help="name of the data set")
    add.add_argument("--format", required=True, choices=get_args(DatasetFormat))
    add.add_argument("--source", type=Path, help="archive or folder; digits need none")
    add.add_argument("--sha256", help="checksum that the archive must have")
    add.add_argument("--output", type=Path, required=True, help="folder to write")

    add = verb(
        "train",
        train,
        "Train one run and write its record, weights and test predictions",
        "--model lenet5 --learning-rate 0.01 --seed 1 --data data/digits "
        "--validation-images 200 --output /tmp/run",
    )
    add.add_argument("--data", type=Path, required=True, help="folder that `normalise` wrote")
    add.add_argument("--output", type=Path, required=True, help="folder to write")
    add.add_argument("--model-file", type=Path, help="Python file of a model of your own")
    add.add_argument("--threads", type=int, default=1, help="processor threads to use (default: 1)")
    add.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=5,
        help="save how far the training is this often; the same command goes on from there (default: 5)",
    )
    add_knobs(add)

    add = verb(
        "collect",
        collect,
        "Gather the records of a plan into one table",
        "results/plan.json --output results/runs.parquet",
    )
    add.add_argument("plan", type=Path, help="file that `plan` wrote")
    add.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder with one folder a run")
    add.add_argument("--output", type=Path, required=True, help="Parquet file to write")

    add = verb(
        "report", report, "Render the report", "results/plan.json results/runs.parquet --output reports"
    )
    add.add_argument("plan", type=Path, help="file that `plan` wrote")
    add.add_argument("table", type=Path, help="file that `collect` wrote")
    add.add_argument("--output", type=Path, required=True, help="folder to write")

    add = verb("models", models, "List the models, or the layers of one", "lenet5 --width 3")
    add.add_argument("name", nargs="?", help="model, or Python file of a model of your own")
    add.add_argument("--classes", type=int, default=10, help="number of classes (default: 10)")
    add_knobs(add)

    verb("schema", schema, "Print the JSON schema of config.yaml", "> workflow/config.schema.json")
    return root


def add_knobs(to: argparse.ArgumentParser) -> None:
    """Add a flag for each knob. Values stay text here; pydantic turns and checks them all."""
    group = to.add_argument_group("knobs")
    for name, field in TrainConfig.model_fields.items():
        if name != "dataset":  # what --data holds says its name
            help = f"{field.description} ({', '.join(details(field))})".replace("%", "%%")
            group.add_argument(f"--{name.replace('_', '-')}", metavar="VALUE", help=help)


def details(field: FieldInfo) -> list[str]:
    """Return a knob's unit, allowed values or bounds, and default, in words."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    bounds = [
        f"{sign} {getattr(limit, name)}"
        for name, sign in signs.items()
        for limit in field.metadata
        if hasattr(limit, name)
    ]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = [str(extra["unit"])] if "unit" in extra else []
    choices = [" | ".join(literal_values(field.annotation))] if literal_values(field.annotation) else []
    default = "as model or conventions" if field.default is None else format_value(field.default) or "none"
    return [*unit, *choices, *bounds, f"default {default}"]


def literal_values(annotation: Any) -> list[str]:
    """Return the values that a Literal, or an optional one, allows; none for other types."""
    options = [value for part in get_args(annotation) for value in (get_args(part) or [part])]
    return [value for value in options if isinstance(value, str)]


def chosen_knobs(args: argparse.Namespace) -> dict[str, Any]:
    """Return the knobs given as flags, as text; a knob that is a list has its values between commas."""
    given = {name: getattr(args, name, None) for name in TrainConfig.model_fields}
    return {
        name: value.split(",") if isinstance(TrainConfig.model_fields[name].default, tuple) else value
        for name, value in given.items()
        if value is not None
    }


def config_of(knobs: dict[str, Any], model_file: Path | None) -> TrainConfig:
    """Check knobs given as flags and return them as the plan would, so that the run gets the same id."""
    try:
        config = TrainConfig.model_validate(knobs)
    except ValidationError as error:
        raise UserError(explain(error, "flags", TrainConfig.model_fields)) from None
    if model_file is None and config.model not in BUILTIN_MODELS:
        raise UserError(f"flags.model: {config.model!r} is not known" + suggest(config.model, BUILTIN_MODELS))
    path = model_file or BUILTIN_MODELS[config.model]
    check_model_knobs(config, path)
    return canonical(config, model_knobs(path))


def plan(args: argparse.Namespace) -> None:
    if args.config == "-":
        config = parse(yaml.safe_load(sys.stdin))
    else:
        path = Path(args.config)
        config = locate(parse(read(path), str(path)), [Path(), path.parent])
    planned = make_plan(config)
    print(summary(planned))
    if args.output:
        write_plan(planned, args.output)


def download(args: argparse.Namespace) -> None:
    from .download import download

    download(args.url, args.sha256, args.output)


def normalise(args: argparse.Namespace) -> None:
    from .normalise import normalise

    normalise(args.name, args.format, args.source, args.sha256, args.output)


def train(args: argparse.Namespace) -> None:
    from .manifest import read_manifest

    knobs = {**chosen_knobs(args), "dataset": read_manifest(args.data).name}
    config = config_of(knobs, args.model_file)
    from .checkpoint import Interrupted
    from .lease import lease
    from .train import train

    try:
        with nullcontext() if config.device == "cpu" else lease():
            train(config, args.data, args.output, args.model_file, args.threads, 60 * args.checkpoint_minutes)
    except Interrupted:
        print("cifarbench train: stopped and saved; the same command goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)


def collect(args: argparse.Namespace) -> None:
    from .collect import collect

    collect(read_plan(args.plan), args.runs, args.output)


def report(args: argparse.Namespace) -> None:
    from .collect import read_table
    from .report import render

    render(read_plan(args.plan), read_table(args.table), args.output)


def models(args: argparse.Namespace) -> None:
    from .model_listing import print_layers, print_models

    if args.name is None:
        print_models(args.classes)
        return
    file = Path(args.name) if args.name.endswith(".py") else None
    knobs = {**chosen_knobs(args), "model": file.stem if file else args.name}
    print_layers(config_of(knobs, file), args.classes, file)


def schema(_args: argparse.Namespace) -> None:
    print(json.dumps(json_schema(), indent=2))
