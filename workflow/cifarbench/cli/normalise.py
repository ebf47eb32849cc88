"""Turn a data set into one file of images and a manifest.

example: cifarbench normalise --name digits --format digits --output data/digits
"""

import argparse

from pydantic import ValidationError

from cifarbench.cli.arguments import a_path, add_output_folder
from cifarbench.cli.progress import working
from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.catalogue import CATALOGUE
from cifarbench.data.normalise import normalise
from cifarbench.data.readers.source import Request
from cifarbench.errors import UserError, explain


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--name", required=True, help="name of the data set")
    verb.add_argument("--format", required=True, choices=tuple(CATALOGUE))
    verb.add_argument(
        "--source",
        type=a_path,
        nargs="+",
        default=[],
        help="archive, its several files, or folder; digits need none",
    )
    verb.add_argument("--sha256", help="checksum that the archive must have")
    add_output_folder(verb)
    for name, field in ReadOptions.model_fields.items():
        default = field.default or ""
        help = f"{field.description} (default: {default or 'all'})"
        value = "PART=IMAGES[,...]" if name == "subset" else "VALUE"
        verb.add_argument(f"--{name.replace('_', '-')}", metavar=value, default=default, help=help)


def run(args: argparse.Namespace) -> None:
    given = {name: getattr(args, name) for name in ReadOptions.model_fields}
    given["subset"] = dict(part.partition("=")[::2] for part in args.subset.split(",") if part)
    try:
        options = ReadOptions.model_validate(given)
    except ValidationError as error:
        raise UserError(explain(error, "flags", ReadOptions.model_fields)) from None
    with working(f"reading {args.name}"):
        normalise(args.name, args.format, Request.of(args.source, args.sha256, options), args.output)
