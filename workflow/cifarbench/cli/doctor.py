"""Check whether this machine is ready for a config, and say what to do.

example: cifarbench doctor config.yaml
"""

import argparse
import sys
from pathlib import Path

from cifarbench.cli.arguments import a_file, plan_of, say
from cifarbench.sweep.doctor import examine, in_lines


def arguments(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "config", type=a_file, nargs="?", default=Path("config.yaml"), help="YAML file (default: config.yaml)"
    )


def run(args: argparse.Namespace) -> None:
    findings = examine(plan_of(args.config))
    say(in_lines(findings))
    if not all(found.good for _, found in findings):
        sys.exit(1)
