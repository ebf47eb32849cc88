"""Tables and plans that were edited or cut: each verb reads them, or refuses them in a line."""

import json
import random
from functools import cache
from pathlib import Path

import pandas as pd

from cifarbench.plan.plan import Plan
from cifarbench.plan.stored import write_plan
from faults.fuzz_configs import VALUES, mutate, outcome
from helpers.synthetic import synthetic

POSSIBLE = [value for value in VALUES if value != "\ud800"]  # no table can hold that


@cache
def sound() -> tuple[Plan, pd.DataFrame]:
    return synthetic(configurations=2, seeds=2, epochs=2, classes=["a", "b"], status={3: "missing"})


def damage(table: pd.DataFrame, dice: random.Random) -> pd.DataFrame:
    """Lose, double, rename or rewrite a column, a row or a cell."""
    if table.empty or not len(table.columns):
        return table
    column, row = dice.choice(list(table.columns)), dice.randrange(len(table))
    match dice.choice(["drop", "drop", "rename", "cell", "cell", "type", "row", "twice", "empty"]):
        case "drop":
            return table.drop(columns=column)
        case "rename":
            return table.rename(columns={column: f"{column}x"})
        case "cell":
            changed = table[column].astype(object)
            changed.iat[row] = dice.choice(
                [value for value in VALUES if value != "\ud800"]
            )  # no table has it
            return table.assign(**{column: changed})
        case "type":
            return table.assign(**{column: dice.choice([1, "x", None, 0.5, True])})
        case "row":
            return table.drop(index=table.index[row])
        case "twice":
            return pd.concat([table, table.iloc[[row]]], ignore_index=True)
        case _:
            return table.iloc[:0]


def case(seed: int, folder: Path) -> str:
    dice = random.Random(seed)
    plan, table = sound()
    write_plan(plan, folder / "plan.json")
    for _ in range(dice.choice([1, 1, 2])):
        table = damage(table, dice)
    try:
        table.to_parquet(folder / "runs.parquet", index=False)
    except Exception:  # what no table can hold
        table.astype(str).to_parquet(folder / "runs.parquet", index=False)
    if dice.random() < 0.3:
        content = mutate(json.loads((folder / "plan.json").read_text()), dice)
        (folder / "plan.json").write_text(json.dumps(content), errors="surrogatepass")
    for name in ("plan.json", "runs.parquet"):
        if dice.random() < 0.1:
            cut(folder / name, dice)
    (folder / "other.parquet").write_bytes((folder / "runs.parquet").read_bytes())
    names = [str(folder / name) for name in ("plan.json", "runs.parquet", "other.parquet")]
    calls = [["claims", *names[:2]], ["compare", *names[1:]], ["status", names[0]]]
    if dice.random() < 0.1:
        calls = [["report", *names[:2], "--output", str(folder / "report")]]
    call = dice.choice(calls)
    return f"{call[0]}: {outcome(call, folder)}"


def cut(path: Path, dice: random.Random) -> None:
    content = path.read_bytes()
    at = dice.randrange(len(content))
    path.write_bytes(dice.choice([content[:at], content[:at] + b"\0\xff" + content[at + 2 :], b""]))
