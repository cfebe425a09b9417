"""Which of the four forms a batch file has: by its suffix, else by how its text begins."""

from __future__ import annotations

import csv
import json
import re
from enum import StrEnum

SUFFIXES = (".jsonl", ".ndjson", ".json", ".yaml", ".yml", ".csv")
_YAML_BEGINNINGS = re.compile(r"-(\s|$)|---|%YAML|#|(jobs|defaults)\s*:")


class Form(StrEnum):
    JSONL = "jsonl"
    """A JSON object a line."""
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


def form_of(suffix: str, text: str) -> Form:
    """The form that the suffix names; where it names none, as on the standard input, how the text begins.

    A bracket begins JSON. A brace begins JSON lines, unless its line is not whole or holds `jobs`: then JSON.
    A line of column names with `prompt` or `storyboard` among them begins CSV. A dash, a comment, `---`,
    `jobs:` and `defaults:` begin YAML. All else is taken for JSON lines.
    """
    match suffix.lower():
        case ".jsonl" | ".ndjson":
            return Form.JSONL
        case ".json":
            return Form.JSON
        case ".yaml" | ".yml":
            return Form.YAML
        case ".csv":
            return Form.CSV
    first = text.lstrip().partition("\n")[0].rstrip()
    if first.startswith("["):
        return Form.JSON
    if first.startswith("{"):
        return Form.JSON if _begins_document(first) else Form.JSONL
    if _YAML_BEGINNINGS.match(first):
        return Form.YAML
    return Form.CSV if {"prompt", "storyboard"} & set(_cells(first)) else Form.JSONL


def column_name(cell: str) -> str:
    """A column as a field: `Max-Shots` and `max_shots` are one."""
    return cell.strip().lower().replace("-", "_")


def _begins_document(line: str) -> bool:
    """Whether the line, which begins with a brace, is the beginning of a document and no row."""
    if line == "{":
        return True
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line)  # not wrong, but not whole
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "jobs" in value


def _cells(line: str) -> list[str]:
    try:
        return [column_name(cell) for cell in next(csv.reader([line]), [])]
    except csv.Error:
        return []
