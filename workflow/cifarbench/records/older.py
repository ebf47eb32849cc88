"""Records, tables and plans of earlier versions, brought to what they hold today.

To rename, remove or rewrite something that a record holds, a knob for instance, add a Change under the next
version. What is only added needs none but a neutral default.
"""

import copy
from collections.abc import Hashable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pandas import DataFrame

Content = dict[str, Any]


class Change(NamedTuple):
    """What a version has otherwise than the one before it: new names by old ones, names that are gone, and by
    name the new values of old ones. Names are a table's, those of the record joined by dots."""

    renamed: Mapping[str, str] = {}
    removed: tuple[str, ...] = ()
    values: Mapping[str, Mapping[Any, Any]] = {}


# Version 2 came with the fingerprint and the first losses, which earlier records lack. What was the default
# of cuda_graph, true, is called auto; in JSON and in tables its values are text, as those of flip are.
CHANGES: dict[int, Change] = {
    2: Change(
        values={
            "config.cuda_graph": {True: "auto", False: "false"},
            "config.flip": {True: "true", False: "false"},
        }
    )
}
VERSION = max(CHANGES)
"""Of the records, tables and plans that are written today."""


def upgraded_record(content: Content) -> Content:
    """Bring a record to today's version; one of an unknown version stays as it is."""
    for version, change in _changes_since(content.get("schema_version")):
        content = {**_apply(change, content), "schema_version": version}
    return content


def upgraded_plan(content: Content) -> Content:
    """Bring a plan to today's version; one of an unknown version stays as it is.

    Claims that may be artefacts, an earlier form, are left out: `plan` reads them from their file again.
    """
    claims = content.get("claims")
    if isinstance(claims, list):
        kept = [claim for claim in claims if not (isinstance(claim, dict) and "artefact" in claim)]
        content = {**content, "claims": kept}
    for version, change in _changes_since(content.get("schema_version")):
        if "runs" in content:  # the long form, see `plan.stored`
            runs = [{**run, **_apply(change, {"config": run["config"]})} for run in content["runs"]]
            content = {**content, "runs": runs, "schema_version": version}
        else:
            configs = content["configurations"].items()
            changed = {key: _apply(change, {"config": knobs})["config"] for key, knobs in configs}
            content = {**content, "configurations": changed, "schema_version": version}
    return content


def upgraded_table(table: "DataFrame", version: int) -> "DataFrame":
    """Bring a table of that version to today's. Old values are replaced whatever the version: a page that was
    drawn between two changes of one version gave its table the number without the later change."""
    newer = [number for number, _ in _changes_since(version)]
    for number, change in CHANGES.items():
        if number in newer:
            table = table.rename(columns=change.renamed).drop(columns=list(change.removed), errors="ignore")
            table["schema_version"] = table["schema_version"].where(table["schema_version"].isna(), number)
        for name, values in change.values.items():
            if name in table:
                table[name] = [_replaced(value, values) for value in table[name]]
    return table


def _replaced(value: Any, values: Mapping[Any, Any]) -> Any:
    return values.get(value, value) if isinstance(value, Hashable) else value


def _changes_since(version: Any) -> Iterator[tuple[int, Change]]:
    if isinstance(version, int) and version >= min(CHANGES) - 1:
        yield from ((number, change) for number, change in CHANGES.items() if number > version)


def _apply(change: Change, content: Content) -> Content:
    content = copy.deepcopy(content)
    for old, new in change.renamed.items():
        place, name = _find(content, old)
        if name in place:
            value = place.pop(name)
            other, name = _find(content, new)
            other[name] = value
    for path in change.removed:
        place, name = _find(content, path)
        place.pop(name, None)
    for path, values in change.values.items():
        place, name = _find(content, path)
        if name in place:
            place[name] = values.get(place[name], place[name])
    return content


def _find(content: Content, path: str) -> tuple[Content, str]:
    """Return the innermost part that a name points into, empty if there is none, and the name in it."""
    *parents, name = path.split(".")
    for parent in parents:
        content = content.get(parent, {})
    return content, name
