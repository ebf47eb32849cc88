"""The command line: `cifarbench <verb>`.

Exit codes: 0 done, 1 failed, 2 the call or its input is wrong, 75 stopped by a signal and saved.

A verb is a file in this folder: its docstring is the help, with an example, `arguments` adds what it takes,
`run` does it. A file is imported only when its verb is called, so that --help and the rest answer at once.
"""

import argparse
import ast
import logging
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import TracebackType

from cifarbench import __version__
from cifarbench.cli.arguments import Parser
from cifarbench.errors import PrintableFormatter, UserError, in_words, printable, suggest

VERBS = {
    path.stem.replace("_", "-"): path
    for path in sorted(Path(__file__).parent.glob("*.py"))
    if path.stem not in ("__init__", "parser", "arguments", "progress")
}


def main(argv: list[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    sys.excepthook = print_traceback
    try:
        try:
            with sigterm_as_interrupt():
                return run_verb(sys.argv[1:] if argv is None else argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough; Python must not find that out again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print("cifarbench: stopped", file=sys.stderr)
        return 130  # 128 and the number of the signal, as of any command that it ends


def print_traceback(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print a fault of the program or of a user's own model, whole; nothing in it acts on a terminal."""
    print(printable("".join(traceback.format_exception(kind, error, where))), end="", file=sys.stderr)


def run_verb(argv: list[str]) -> int:
    try:
        args, unknown = parser(argv).parse_known_args(argv)
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(PrintableFormatter())
        logging.basicConfig(level="INFO", handlers=[handler])
        if unknown:
            raise UserError(f"{unknown[0]!r} is not understood" + _instead_of(unknown[0], args))
        args.run(args)
    except (UserError, OSError, ModuleNotFoundError) as error:
        print(printable(f"cifarbench {argv[0]}: error: {in_words(error)}"), file=sys.stderr)
        return 2
    return 0


@contextmanager
def sigterm_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end a verb as Ctrl-C does, in one line; a training takes both over and saves itself."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _instead_of(word: str, args: argparse.Namespace) -> str:
    if not word.startswith("-"):
        return "; remove it, or quote what belongs together"
    return suggest(word, args.flags, f"cifarbench {args.verb} --help")


def parser(argv: list[str]) -> argparse.ArgumentParser:
    """Return the parser of all verbs, with the arguments of the one that `argv` calls."""
    root = Parser(
        prog="cifarbench",
        description="Train, compare and report small image classifiers.",
        epilog="example: cifarbench train --model lenet5 --epochs 2 --data data/cifar10 --output /tmp/run",
    )
    root.add_argument("--version", action="version", version=__version__)
    verbs = root.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, path in VERBS.items():
        summary, example = described(path)
        verb = verbs.add_parser(
            name, help=summary.rstrip("."), description=summary, epilog=example.replace("%", "%%")
        )
        if argv and argv[0] == name:
            module = import_module(f"cifarbench.cli.{path.stem}")
            module.arguments(verb)
            flags = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", verb.format_help()))
            verb.set_defaults(run=module.run, flags=sorted(flags))
    return root


def described(path: Path) -> tuple[str, str]:
    """Return the summary and the example in the docstring of a verb's file, without importing it."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    summary, _, example = text.partition("\n\n")
    return " ".join(summary.split()), example
