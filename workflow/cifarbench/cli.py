"""The command line: `cifarbench <verb>`.

Exit codes: 0 done, 1 failed, 2 the call or its input is wrong, 75 stopped by a signal and saved.

Each step of the workflow is a verb: a function that adds its arguments and one that runs it, and a line in
VERBS. torch is imported only by the verbs that need it, so that --help and the rest answer at once.
"""

import argparse
import json
import logging
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from . import __version__
from .config import DatasetFormat, json_schema, locate, parse, read
from .errors import UserError, suggest
from .knob_flags import add_knobs, chosen_knobs, config_of
from .outlook import in_words, outlook
from .pack import Job
from .plan import Plan, make_plan, read_plan, summary, write_plan

if TYPE_CHECKING:
    from pandas import DataFrame

INTERRUPTED = 75  # EX_TEMPFAIL of sysexits.h: try again

Arguments = Callable[[argparse.ArgumentParser], None]
Handler = Callable[[argparse.Namespace], None]


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the list of all flags."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message}; see {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    try:
        try:
            return run_verb(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough; Python must not find that out again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def run_verb(argv: list[str] | None) -> int:
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


def at_least_one(text: str) -> int:
    """Read a whole number of 1 or more, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed: it must be a whole number of 1 or more")
    return int(text)


def flags_of(args: argparse.Namespace) -> list[str]:
    return [f"--{name.replace('_', '-')}" for name in vars(args).keys() - {"handler", "verb"}]


def parser() -> argparse.ArgumentParser:
    root = Parser(
        prog="cifarbench",
        description="Train, compare and report small image classifiers.",
        epilog="example: cifarbench train --model lenet5 --epochs 2 --data data/cifar10 --output /tmp/run",
    )
    root.add_argument("--version", action="version", version=__version__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (arguments, handler, help, example) in VERBS.items():
        epilog = f"example: cifarbench {name} {example}"
        verb = verbs.add_parser(name, help=help, description=f"{help}.", epilog=epilog)
        arguments(verb)
        verb.set_defaults(handler=handler)
    return root


def plan_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("config", type=Path, help="YAML file, or - for standard input")
    verb.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder with one folder a run")
    verb.add_argument("--why", action="store_true", help="why each run that would be trained would be")
    verb.add_argument("--output", type=Path, help="where to write the plan, as JSON")


def plan_of(config: Path) -> Plan:
    """Read a config and expand it; `-` is standard input."""
    parsed = parse(read(config), "config" if str(config) == "-" else str(config))
    return make_plan(locate(parsed, [Path(), config.parent]))


def plan(args: argparse.Namespace) -> None:
    if args.why and str(args.config) == "-":
        raise UserError("--why needs a config in a file, because Snakemake reads it too")
    planned = plan_of(args.config)
    print(summary(planned))
    print(in_words(planned, outlook(planned, args.runs)))
    if args.why:
        from .why import why

        print(why(planned, args.config, args.runs))
    if args.output:
        write_plan(planned, args.output)


def download_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--url", required=True)
    verb.add_argument("--sha256", required=True, help="checksum that the file must have")
    verb.add_argument("--output", type=Path, required=True, help="file to write")


def download(args: argparse.Namespace) -> None:
    from .download import download

    download(args.url, args.sha256, args.output)


def normalise_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--name", required=True, help="name of the data set")
    verb.add_argument("--format", required=True, choices=get_args(DatasetFormat))
    verb.add_argument("--source", type=Path, help="archive or folder; digits need none")
    verb.add_argument("--sha256", help="checksum that the archive must have")
    verb.add_argument("--output", type=Path, required=True, help="folder to write")


def normalise(args: argparse.Namespace) -> None:
    from .normalise import normalise

    normalise(args.name, args.format, args.source, args.sha256, args.output)


def train_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--output", type=Path, required=True, help="folder to write")
    add_training(verb)
    add_run(verb)


def add_training(verb: argparse.ArgumentParser) -> None:
    """Add how to train, which does not change what comes out."""
    verb.add_argument("--data", type=Path, required=True, help="folder that `normalise` wrote")
    verb.add_argument("--threads", type=at_least_one, default=1, help="processor threads to use (default: 1)")
    verb.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=5,
        help="save how far the training is this often; the same command goes on from there (default: 5)",
    )


def add_run(verb: argparse.ArgumentParser) -> None:
    """Add what to train."""
    verb.add_argument("--model-file", type=Path, help="Python file of a model of your own")
    add_knobs(verb, said_otherwise=("dataset",))  # what --data holds has a name


def train(args: argparse.Namespace) -> None:
    from .manifest import read_manifest
    from .pack import take_packed

    knobs = {**chosen_knobs(args), "dataset": read_manifest(args.data).name}
    config = config_of(knobs, args.model_file)
    if take_packed(config, args.model_file, args.data, args.output):
        return
    from .heartbeat import heartbeat
    from .lease import lease
    from .train import train

    one_device = nullcontext() if config.device == "cpu" else lease()
    with stopping_softly(args.verb), heartbeat(args.output), one_device:
        train(config, args.data, args.output, args.model_file, args.threads, 60 * args.checkpoint_minutes)


@contextmanager
def stopping_softly(verb: str) -> Iterator[None]:
    """Exit with the code that means: saved, try again."""
    from .checkpoint import Interrupted

    try:
        yield
    except Interrupted:
        print(f"cifarbench {verb}: stopped and saved; the same command goes on from there", file=sys.stderr)
        sys.exit(INTERRUPTED)


def pack_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "runs", nargs="+", metavar="RUN", help="the knobs of a run, as one word: '--model lenet5'"
    )
    verb.add_argument(
        "--output", type=Path, default=Path("results/runs"), help="folder with one folder a run"
    )
    add_training(verb)


def pack(args: argparse.Namespace) -> None:
    from .manifest import read_manifest

    dataset = read_manifest(args.data).name
    jobs = [run_of(text, dataset) for text in args.runs]
    from .lease import lease
    from .pack import train_pack

    with (
        stopping_softly(args.verb),
        nullcontext() if all(job.config.device == "cpu" for job in jobs) else lease(),
    ):
        train_pack(jobs, args.data, args.output, args.threads, 60 * args.checkpoint_minutes)


def run_of(text: str, dataset: str) -> Job:
    """Read one run of a pack."""
    own = Parser(prog="cifarbench pack")
    add_run(own)
    args = own.parse_args(shlex.split(text))
    return Job(config_of({**chosen_knobs(args), "dataset": dataset}, args.model_file), args.model_file)


def collect_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("plan", type=Path, help="file that `plan` wrote")
    verb.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder with one folder a run")
    verb.add_argument("--output", type=Path, required=True, help="Parquet file to write")


def collect(args: argparse.Namespace) -> None:
    from .collect import collect

    collect(read_plan(args.plan), args.runs, args.output)


def status_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "plan",
        type=Path,
        nargs="?",
        default=Path("results/plan.json"),
        help="file that `plan` wrote, or a config (default: results/plan.json)",
    )
    verb.add_argument(
        "--runs",
        type=Path,
        help="folder with one folder a run (default: `runs` beside plan.json, for a config results/runs)",
    )
    how = verb.add_mutually_exclusive_group()
    how.add_argument("--watch", action="store_true", help="on a terminal, go on until all is done")
    how.add_argument("--json", action="store_true", help="everything about every run, for scripts")


def status(args: argparse.Namespace) -> None:
    from .status import Known, retry_command, sweep_status
    from .status_view import as_json, console_here, show, watch

    is_plan, known, console = args.plan.suffix == ".json", Known(), console_here()
    planned = read_plan(args.plan) if is_plan else plan_of(args.plan)
    runs = args.runs or (args.plan.parent / "runs" if is_plan else Path("results/runs"))
    if args.watch and not console.is_terminal:
        raise UserError("--watch needs a terminal; leave it out, or take --json")
    if args.watch:
        with suppress(KeyboardInterrupt):
            watch(lambda: sweep_status(planned, runs, known), console)
    now = sweep_status(planned, runs, known)
    retry = retry_command(now, runs, None if is_plan else args.plan)
    if args.json:
        print(json.dumps(as_json(now, retry), indent=1))
    else:
        show(now, retry, console)


def doctor_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "config", type=Path, nargs="?", default=Path("config.yaml"), help="YAML file (default: config.yaml)"
    )


def doctor(args: argparse.Namespace) -> None:
    from .doctor import examine, in_lines

    findings = examine(plan_of(args.config))
    print(in_lines(findings))
    if not all(found.good for _, found in findings):
        sys.exit(1)


def report_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("plan", type=Path, help="file that `plan` wrote")
    verb.add_argument(
        "table",
        type=Path,
        nargs="?",
        help="file that `collect` wrote (default: collect what is done, and pick the pictures)",
    )
    verb.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder with one folder a run")
    verb.add_argument("--data", type=Path, default=Path("data"), help="folder with one folder a data set")
    verb.add_argument("--baseline", type=Path, help="another table, to be compared with")
    verb.add_argument("--pictures", type=Path, help="file that `pictures` wrote, shown if it is there")
    verb.add_argument("--speed", type=Path, help="file that `bench` wrote, shown if it is there")
    verb.add_argument("--output", type=Path, required=True, help="folder to write")


def report(args: argparse.Namespace) -> None:
    from .bench import read_speed
    from .collect import read_table
    from .report import render

    plan = read_plan(args.plan)
    if args.table is None:
        table, pictures = done_so_far(plan, args.runs, args.data)
    else:
        table = read_table(args.table)
        there = args.pictures and args.pictures.exists()
        pictures = read_table(args.pictures, "cifarbench pictures") if there else None
    speed = read_speed(args.speed) if args.speed and args.speed.exists() else None
    baseline = read_table(args.baseline) if args.baseline else None
    render(plan, table, args.output, speed, baseline, pictures)


def done_so_far(plan: Plan, runs: Path, data: Path) -> tuple["DataFrame", "DataFrame"]:
    """Collect the runs that are done, and pick their pictures, as if both had been written and read."""
    from .collect import collect, read_table
    from .pictures import pictures

    with TemporaryDirectory() as folder:
        table, picked = Path(folder, "runs.parquet"), Path(folder, "pictures.parquet")
        collect(plan, runs, table)
        pictures(plan, read_table(table), runs, data, picked)
        return read_table(table), read_table(picked)


def pictures_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("plan", type=Path, help="file that `plan` wrote")
    verb.add_argument("table", type=Path, help="file that `collect` wrote")
    verb.add_argument("--runs", type=Path, default=Path("results/runs"), help="folder with one folder a run")
    verb.add_argument("--data", type=Path, default=Path("data"), help="folder with one folder a data set")
    verb.add_argument("--output", type=Path, required=True, help="Parquet file to write")


def pictures(args: argparse.Namespace) -> None:
    from .collect import read_table
    from .pictures import pictures

    pictures(read_plan(args.plan), read_table(args.table), args.runs, args.data, args.output)


def claims_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("plan", type=Path, help="file that `plan` wrote")
    verb.add_argument("table", type=Path, help="file that `collect` wrote")


def claims(args: argparse.Namespace) -> None:
    from .collect import read_table
    from .verdicts import judge_all, text_table

    print(text_table(judge_all(read_plan(args.plan), read_table(args.table))))


def compare_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("before", type=Path, help="table that `collect` wrote")
    verb.add_argument("after", type=Path, help="another one")
    verb.add_argument(
        "--fail-on",
        choices=["regression"],
        help="exit with 1 if a configuration is worse in the second table",
    )


def compare(args: argparse.Namespace) -> None:
    from .collect import read_table
    from .compare import compare, text_table

    comparison = compare(read_table(args.before), read_table(args.after))
    print(text_table(comparison))
    if args.fail_on and comparison.regressions:
        sys.exit(1)


def models_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("name", nargs="?", help="model, or Python file of a model of your own")
    verb.add_argument("--classes", type=at_least_one, default=10, help="number of classes (default: 10)")
    add_knobs(verb, said_otherwise=("dataset", "model"))


def models(args: argparse.Namespace) -> None:
    from .model_listing import print_layers, print_models

    if args.name is None:
        print_models(args.classes)
        return
    file = Path(args.name) if args.name.endswith(".py") else None
    knobs = {**chosen_knobs(args), "model": file.stem if file else args.name}
    print_layers(config_of(knobs, file), args.classes, file)


def bench_arguments(verb: argparse.ArgumentParser) -> None:
    from .bench import MODELS

    verb.add_argument(
        "--models", nargs="+", choices=MODELS, default=MODELS, help="models to time (default: all)"
    )
    verb.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where (default: cpu)")
    verb.add_argument(
        "--rounds", type=at_least_one, default=3, help="times that each way takes its turn (default: 3)"
    )
    verb.add_argument("--seconds", type=float, default=4, help="training timed in each turn (default: 4)")
    verb.add_argument("--threads", type=at_least_one, default=2, help="processor threads to use (default: 2)")
    verb.add_argument("--output", type=Path, required=True, help="JSON file to write")


def bench(args: argparse.Namespace) -> None:
    from .bench import bench

    if args.device == "cuda":
        from .train import choose_device

        choose_device(args.device)
    bench(args.models, args.rounds, args.seconds, args.threads, args.device, args.output)


def rounds_arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--rounds", type=at_least_one, default=3, help="times that all is measured (default: 3)"
    )
    verb.add_argument("--output", type=Path, required=True, help="JSON file to write")


def bench_workflow(args: argparse.Namespace) -> None:
    from .bench_workflow import bench_workflow

    bench_workflow(args.rounds, args.output)


def bench_scale(args: argparse.Namespace) -> None:
    from .bench_scale import bench_scale

    bench_scale(args.rounds, args.output)


def schema(_args: argparse.Namespace) -> None:
    print(json.dumps(json_schema(), indent=2))


def no_arguments(_verb: argparse.ArgumentParser) -> None:
    pass


# How each verb takes its arguments, what runs it, what it does, and an example that works as it stands.
VERBS: dict[str, tuple[Arguments, Handler, str, str]] = {
    "plan": (
        plan_arguments,
        plan,
        "Say which runs a config asks for",
        "config.yaml --output results/plan.json",
    ),
    "download": (
        download_arguments,
        download,
        "Fetch an archive and verify its checksum",
        "--url https://example.org/images.zip --sha256 2c26... --output data/mine/images.zip",
    ),
    "normalise": (
        normalise_arguments,
        normalise,
        "Turn a data set into one file of images and a manifest",
        "--name digits --format digits --output data/digits",
    ),
    "train": (
        train_arguments,
        train,
        "Train one run and write its record, weights and test predictions",
        "--model lenet5 --seed 1 --data data/digits --validation-images 200 --output /tmp/run",
    ),
    "pack": (
        pack_arguments,
        pack,
        "Train several runs in one process, each with its own record",
        "--data data/digits '--seed 0 --validation-images 200' '--seed 1 --validation-images 200'",
    ),
    "collect": (
        collect_arguments,
        collect,
        "Gather the records of a plan into one table",
        "results/plan.json --output results/runs.parquet",
    ),
    "pictures": (
        pictures_arguments,
        pictures,
        "Pick the test images that say most of where models fail",
        "results/plan.json results/runs.parquet --output results/pictures.parquet",
    ),
    "status": (
        status_arguments,
        status,
        "Say how a sweep stands: what is done, running, waiting or failed, and why",
        "results/plan.json --watch",
    ),
    "doctor": (
        doctor_arguments,
        doctor,
        "Check whether this machine is ready for a config, and say what to do",
        "config.yaml",
    ),
    "report": (
        report_arguments,
        report,
        "Render the report",
        "results/plan.json results/runs.parquet --output reports",
    ),
    "claims": (
        claims_arguments,
        claims,
        "Judge published claims by the records",
        "results/plan.json results/runs.parquet",
    ),
    "compare": (
        compare_arguments,
        compare,
        "Compare two tables of results, configuration by configuration",
        "before.parquet results/runs.parquet --fail-on regression",
    ),
    "models": (models_arguments, models, "List the models, or the layers of one", "lenet5 --width 3"),
    "bench": (
        bench_arguments,
        bench,
        "Time our training beside a naive one, in turn",
        "--models lenet5 --output results/bench.json",
    ),
    "bench-workflow": (
        rounds_arguments,
        bench_workflow,
        "Time the workflow beside the trainings it runs",
        "--rounds 1 --output results/bench-workflow.json",
    ),
    "bench-scale": (
        rounds_arguments,
        bench_scale,
        "Time the plan, the table and the status of up to 10,000 runs",
        "--rounds 1 --output results/bench-scale.json",
    ),
    "schema": (no_arguments, schema, "Print the JSON schema of configs", "> workflow/config.schema.json"),
}
