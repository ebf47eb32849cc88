"""YAML as people write it: nothing is lost in silence, and no small file fills all memory."""

import os
from pathlib import Path

import pytest

from cifarbench.config.reading import MAX_BYTES, load, read
from cifarbench.errors import UserError


def fault_of(folder: Path, text: str) -> str:
    path = folder / "c.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        read(path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ") and "\n" not in line and len(line) < 500
    return line.removeprefix(f"{path}: ")


def test_a_missing_file_and_one_that_is_no_yaml_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none.yaml: cannot be read: No such file or directory$"):
        read(tmp_path / "none.yaml")
    assert fault_of(tmp_path, "a: 1\n- b") == (
        "cannot be read as YAML: while parsing a block mapping expected <block end>, "
        "but found '-' (line 2, column 1)"
    )
    assert "line 1" in fault_of(tmp_path, "studies: [")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("studies: 1\nstudies: 2", "studies", 2),
        ("a: 1\n'a': 2", "a", 2),
        ("- {a: 1, b: {c: 1, d: 2, c: 3}}", "c", 1),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  b: 1\n  <<: *x", "<<", 5),
        ("1: a\n1: b", "1", 2),
    ],
)
def test_a_key_that_is_given_twice_is_refused(tmp_path: Path, text: str, key: str, line: int) -> None:
    assert f"key {key!r} is there twice (line {line}); remove or rename one" in fault_of(tmp_path, text)


@pytest.mark.parametrize(("text", "number"), [("010", 8), ("1:30", 90), ("-017", -15), ("0_7", 7)])
def test_a_number_that_yaml_reads_as_another_is_refused(tmp_path: Path, text: str, number: int) -> None:
    fault = fault_of(tmp_path, f"a: 0\nepochs: {text}")
    assert f"{text} would be read as {number} (line 2); write it plainly or quote it" in fault
    assert load("[0, -7, 1_000, 0x10, '010', '1:30']") == [0, -7, 1000, 16, "010", "1:30"]


def test_what_overrides_a_merged_mapping_is_no_second_key() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, x: 3}\nc: {<<: [*b, *a], y: 4}\n'1': 5\n1: 6"
    assert load(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 3, "y": 2},
        "c": {"x": 3, "y": 4},
        "1": 5,
        1: 6,
    }
    assert load("") is None


def bomb(levels: int, width: int, how: str) -> str:
    lines = ["l0: &l0 {a0: 1, b0: 2}" if how == "<<" else "l0: &l0 [x, x]"]
    for n in range(levels):
        aliases = ", ".join(width * [f"*l{n}"])
        lines.append(f"l{n + 1}: &l{n + 1} " + (f"{{<<: [{aliases}]}}" if how == "<<" else f"[{aliases}]"))
    return "\n".join(lines)


@pytest.mark.parametrize("how", ["<<", "alias"])
def test_a_bomb_is_refused_before_it_is_built(tmp_path: Path, how: str) -> None:
    assert "once aliases are written out; split it" in fault_of(tmp_path, bomb(12, 9, how))
    assert load(bomb(3, 9, how))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (100_000 * "[", "nested too deeply"),
        (20_000 * "a: {" + 20_000 * "}", "nested too deeply"),
        ("a: &a [*a]", "inside of what it stands for"),
        ("a: &a {<<: *a}", "inside of what it stands for"),
        ("a: " + 5_000 * "9", "integer string conversion"),
        ("a: 2020-13-45", "month must be in"),
        ('a: "\0"', ""),
        ("a: \x01", ""),
        ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("[1]: {[2]: 3}", "unhashable"),
        ("? {a: 1}\n: 2", "unhashable"),
        (MAX_BYTES * "#" + "#", "is too large"),
    ],
)
def test_anything_else_is_one_line_too(tmp_path: Path, text: str, why: str) -> None:
    assert why in fault_of(tmp_path, text)


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(UserError, match="it is no regular file; give one, or - for a pipe"):
            read(path)
    (tmp_path / "latin").write_bytes("title: é".encode("latin-1"))
    with pytest.raises(UserError, match="latin: cannot be read as YAML: it is no text in UTF-8"):
        read(tmp_path / "latin")
