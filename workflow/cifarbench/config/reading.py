"""YAML that people write, read so that nothing is lost in silence and no small file fills all memory."""

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from cifarbench.errors import UserError

MAX_BYTES = 10_000_000
MAX_NODES = 1_000_000  # with every alias and merge written out
TOO_LARGE = "split it into several files"


def read(path: Path) -> Any:
    """Read a YAML file, or standard input for `-`.

    Raise UserError if it is missing or no YAML, if a mapping has a key twice, or if it is too large.
    """
    try:
        return load(read_text(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: cannot be read as YAML: it is no text in UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise UserError(f"{path}: cannot be read as YAML: {_marked(error)}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{path}: cannot be read as YAML: it is nested too deeply") from None


def _marked(error: yaml.MarkedYAMLError) -> str:
    """Say what the parser found and where, without the lines of the file that it shows."""
    mark = error.problem_mark or error.context_mark
    place = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return " ".join(filter(None, [error.context, error.problem])) + place


def read_text(path: Path) -> str:
    if str(path) == "-":
        text = sys.stdin.read(MAX_BYTES + 1)
    elif path.exists() and not path.is_file():
        raise UserError(f"{path}: cannot be read as YAML: it is no regular file; give one, or - for a pipe")
    else:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_BYTES + 1)
    if len(text) > MAX_BYTES:
        raise UserError(f"{path}: is too large: at most {MAX_BYTES:,} characters are read; {TOO_LARGE}")
    return text


def load(text: str) -> Any:
    loader = UniqueKeys(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        if expanded_size(root, {}) > MAX_NODES:
            raise yaml.YAMLError(f"more than {MAX_NODES:,} values once aliases are written out; {TOO_LARGE}")
        return loader.construct_document(root)
    finally:
        loader.dispose()


class UniqueKeys(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not keep: a mapping has each key once."""

    def compose_mapping_node(self, anchor: Any) -> MappingNode:
        node: MappingNode = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if isinstance(key, ScalarNode):
                if (key.tag, key.value) in seen:
                    place = f"line {key.start_mark.line + 1}"
                    raise yaml.YAMLError(f"key {key.value!r} is there twice ({place}); remove or rename one")
                seen.add((key.tag, key.value))
        return node


def plain_integer(loader: UniqueKeys, node: ScalarNode) -> int:
    """Read an integer. Raise YAMLError for one that YAML 1.1 reads as another: 010 as 8, 1:30 as 90."""
    value = loader.construct_yaml_int(node)
    if ":" in node.value or re.fullmatch(r"[-+]?0[0-7_]+", node.value):
        place = f"line {node.start_mark.line + 1}"
        raise yaml.YAMLError(f"{node.value} would be read as {value} ({place}); write it plainly or quote it")
    return int(value)


UniqueKeys.add_constructor("tag:yaml.org,2002:int", plain_integer)


def expanded_size(node: Node, known: dict[int, int | None]) -> int:
    """Count the values under a node as if each alias were written out; `known` holds those counted."""
    if id(node) not in known:
        known[id(node)] = None
        children: list[Node] = []
        if isinstance(node, CollectionNode):
            pairs = isinstance(node, MappingNode)
            children = [part for pair in node.value for part in pair] if pairs else node.value
        known[id(node)] = 1 + sum([expanded_size(child, known) for child in children])
    size = known[id(node)]
    if size is None:
        raise yaml.YAMLError("an alias stands inside of what it stands for")
    return size
