"""Write one file that trains runs on another machine, where only PyTorch is installed.

example: cifarbench bundle config.yaml --model vgg16 --minutes 9 --output away.pyz
"""

import argparse
from pathlib import Path

from cifarbench.bundle.home import done_here, most_telling_first, write_bundle
from cifarbench.bundle.task import positive
from cifarbench.cli.arguments import a_file, add_data, add_output, add_runs, config_in, say
from cifarbench.errors import UserError, suggest
from cifarbench.plan.looks import standing
from cifarbench.plan.plan import Plan, make_plan
from cifarbench.words import count


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("config", type=a_file, help="YAML file, or - for standard input")
    add_output(verb, "file to write, such as away.pyz")
    verb.add_argument("--model", action="append", help="only runs of this model; may be given several times")
    verb.add_argument(
        "--minutes", type=positive, help="save and stop after so long, unless told otherwise there"
    )
    verb.add_argument("--with-data", action="store_true", help="carry the images, too")
    add_runs(verb)
    add_data(verb)


def run(args: argparse.Namespace) -> None:
    config = config_in(args.config)
    plan = standing(make_plan(config), args.runs.parent)
    own = {model.name: Path(model.file) for model in config.models}
    done = done_here(plan, own, args.runs, args.data)
    if config.known:
        from cifarbench.analysis.adopt import choose, here

        done.update(choose(config.known, plan, here(plan, own, args.data), args.runs).runs)
    chosen = set(args.model or models_of(plan))
    if unknown := chosen - models_of(plan):
        raise UserError(
            f"--model: {min(unknown)!r} has no run in {args.config}{suggest(min(unknown), models_of(plan))}"
        )
    runs = [run for run in most_telling_first(plan.runs, done) if run.config.model in chosen]
    if not runs:
        raise UserError(f"{args.config}: there is nothing left to train")
    datasets = write_bundle(plan, runs, own, args.data, args.output, args.minutes, args.with_data)
    given = "" if args.with_data else "".join(f" --data {name}=PATH" for name in datasets)
    size = args.output.stat().st_size / 1e6
    say(f"{args.output}: {count(len(runs), 'run')}, {size:.1f} MB")
    say(f"there: python {args.output.name}{given} --output back.zip")


def models_of(plan: Plan) -> set[str]:
    return {run.config.model for run in plan.runs}
