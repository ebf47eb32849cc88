"""Real configs with something wrong: `plan` accepts them, or refuses them in a line for each fault."""

import contextlib
import copy
import io
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from cifarbench.cli.parser import main
from helpers.repository import REPOSITORY

CONFIGS = [REPOSITORY / "config.yaml", *sorted(REPOSITORY.glob("examples/**/*.yaml"))]
CLAIMS = REPOSITORY / "claims.yaml"
VALUES = [
    *(None, True, 0, -1, 10**4000, 2**63, 0.5, -0.0, float("nan"), float("inf"), "", " ", "x", "1", "lenet5"),
    *(
        "\0",
        "\x1b[2J",
        "\ud800",
        "a\nb",
        "é",
        "{run}",
        "${HOME}",
        "<x>",
        "../..",
        "/",
        "a" * 300,
        "-",
        "=1+1",
    ),
    *([], [[]], [None], [1, 2, 3], {}, {"a": {}}, {1: 2}, ["x", "x"], list(range(3)), 60 * [{}]),
]
TEXTS = [
    "\0",
    "\t",
    "\x85",
    ": ",
    "- ",
    "{",
    "[",
    "&a ",
    "*a",
    "<<: ",
    "!!python/name:os ",
    "'",
    '"',
    "#",
    "\n",
    "|",
    "é",
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from places(child, (*path, key))


def mutate(content: Any, dice: random.Random) -> Any:
    """Replace, remove, rename, copy or swap something at a random place."""
    *parents, last = dice.choice([path for path in places(content) if path])
    inside = content
    for key in parents:
        inside = inside[key]
    how = dice.choice(["replace", "replace", "remove", "rename", "double"])
    if how == "replace":
        inside[last] = copy.deepcopy(dice.choice(VALUES))
    elif how == "remove":
        del inside[last]
    elif isinstance(inside, list):
        inside.append(copy.deepcopy(inside[last]))
    elif how == "rename":
        inside[dice.choice(["x", 1, None, "label", "\x1b", f"{last}s"])] = inside.pop(last)
    else:
        inside[last] = [copy.deepcopy(inside[last])] * 2
    return content


def write(content: Any, dice: random.Random, path: Path) -> None:
    text = yaml.safe_dump(content, allow_unicode=True)
    for _ in range(dice.choice([0, 0, 0, 1, 2])):  # what no structure has
        place = dice.randrange(len(text) + 1)
        text = text[:place] + dice.choice(TEXTS) + text[place + dice.choice([0, 0, 1, 20]) :]
    path.write_text(text, encoding="utf-8", errors="surrogatepass")


def smaller(content: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Keep a study or two, for speed."""
    studies = dice.sample(content["studies"], min(2, len(content["studies"])))
    return {**content, "studies": studies, "claims": "claims.yaml"}


def case(seed: int, folder: Path) -> str:
    dice = random.Random(seed)
    content = smaller(yaml.safe_load(dice.choice(CONFIGS).read_text(encoding="utf-8")), dice)
    claims = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    names = {study["name"] for study in content["studies"]}
    claims["claims"] = [
        claim for claim in claims["claims"] if names & set(re.findall(r"[\w-]+", str(claim)))
    ][:3]
    for _ in range(dice.choice([0, 1, 1, 2, 3])):
        if claims["claims"] and dice.random() < 0.3:
            mutate(claims, dice)
        else:
            mutate(content, dice)
    write(content, dice, folder / "config.yaml")
    write(claims, dice, folder / "claims.yaml")
    return outcome(["plan", str(folder / "config.yaml"), "--output", str(folder / "plan.json")], folder)


def outcome(argv: list[str], folder: Path) -> str:
    """Run a verb, and check that it ends as every verb must; return what it said, without the particulars."""
    out, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = main(argv)
        except SystemExit as stop:
            code = int(stop.code or 0)
    said = error.getvalue()
    assert code in (0, 2), f"exit code {code}: {said}"
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", out.getvalue() + said) is None, said
    assert not list(folder.rglob("*.part"))
    if code == 0:
        assert "Traceback" not in said
        return "accepted"
    lines = said.splitlines()
    assert lines and lines[0].startswith(f"cifarbench {argv[0]}: error: "), said
    assert len(said) < 30_000 and "pydantic" not in said, said
    return " ".join(re.sub(r"'.*'|\".*\"|\S*[/.\[(0-9]\S*", "", lines[0].partition("error: ")[2]).split())[
        :60
    ]
