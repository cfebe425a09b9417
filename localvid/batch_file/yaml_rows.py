"""YAML → rows with their lines; the same YAML as in storyboard files, and no more of it."""

from __future__ import annotations

from functools import partial

from localvid.batch_file.found import Found
from localvid.schemas import Place
from localvid.storyboard_file import nodes

MAX_CHARACTERS = 8 * 2**20
"""About half a minute of reading; JSON lines take a fraction of that."""

_LIMITS = nodes.Limits("a batch", depth=9, nodes=500_000)


def read_document(text: str, found: Found) -> None:
    """A list of rows, or a mapping with `jobs` and, if wanted, `defaults`. Nothing is read of a text that is
    not YAML as a whole."""
    if len(text) > MAX_CHARACTERS:
        found.mistake(1, f"YAML is read up to {MAX_CHARACTERS // 2**20} MiB: write it as JSON lines")
        return
    try:
        root = nodes.compose(text, _LIMITS)
    except nodes.YamlTextError as problem:
        found.mistake(problem.line, f"not YAML that is read: {problem.message}")
        return
    if isinstance(root, nodes.Sequence):
        _rows(root, found)
    elif isinstance(root, nodes.Mapping):
        _members(root, found)
    elif root is not None:
        found.mistake(root.line, "a batch is a list of rows, or a mapping with jobs")


def _members(root: nodes.Mapping, found: Found) -> None:
    for key, node in root.entries:
        if key.text == "jobs" and isinstance(node, nodes.Sequence):
            _rows(node, found)
        elif key.text == "jobs":
            found.mistake(key.line, "it is a list of rows", field="jobs")
        elif key.text == "defaults":
            try:
                found.default_row(key.line, node.value, partial(_line_of, node))
            except nodes.YamlTextError as problem:
                found.mistake(problem.line, problem.message, field="defaults")
        else:
            found.mistake(key.line, "unknown key; there are jobs and defaults", field=key.text)
    if root.entry("jobs") is None:
        found.mistake(root.line, "a mapping without jobs: they are a list of rows")


def _rows(rows: nodes.Sequence, found: Found) -> None:
    for node in rows.items:
        try:
            found.row(node.line, node.value, partial(_line_of, node))
        except nodes.YamlTextError as problem:
            found.next_row(node.line)
            found.mistake(problem.line, problem.message)


def _line_of(node: nodes.Node, place: Place) -> int:
    """The line of the key at a place, or of the item; of the nearest one around it where there is none."""
    line = node.line
    for part in place:
        if isinstance(node, nodes.Mapping) and isinstance(part, str) and (entry := node.entry(part)):
            line, node = entry.key.line, entry.value
        elif isinstance(node, nodes.Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            line = node.line
        else:
            break
    return line
