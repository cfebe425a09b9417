"""JSON and JSON lines → rows with their lines.

A document is walked by hand as far as its rows, so that each has its place; a row is read at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from localvid.batch_file.found import MOST_OF_A_ROW, Found
from localvid.schemas import Place, clean_prompt

_SPACE = " \t\r\n"
_MAX_ROW = 2**20
"""Characters of a row: as many as a storyboard file may have bytes."""
_TOO_LONG = f"a row has at most {_MAX_ROW:,} characters"
_MAX_DIGITS = 400
_KEYS = json.JSONDecoder()
_MOST_OF_A_KEY = 40

_Visit = Callable[[str | int, int, int], int]
"""Key or index, where it begins, where its value begins → where that ends."""


def read_lines(text: str, found: Found) -> None:
    """A JSON object a line; blank lines are skipped, and what is wrong with one line concerns no other."""
    scanner = _Scanner()
    # By line feeds alone: inside a JSON text other marks of a line's end may stand as they are.
    for line, content in enumerate(text.split("\n"), start=1):
        if not content.strip(_SPACE):
            continue
        if len(content) > _MAX_ROW:
            found.next_row(line)
            found.mistake(line, _TOO_LONG)
            continue
        if content.strip() in ("[", "{") and not found.rows:
            found.mistake(line, "it is JSON over several lines, not an object a line: name the file .json")
            return
        try:
            start = _skip(content, 0)
            value, end = scanner.value(content, start)
            _check_end(content, end)
        except json.JSONDecodeError as error:
            found.next_row(line)
            found.mistake(line, f"not JSON: {error.msg}", column=error.colno)
            continue
        if not _said_odd(scanner, line, found):
            found.row(line, value, partial(_line_of, content, start, line))
        else:
            found.next_row(line)


def read_document(text: str, found: Found) -> None:
    """A list of rows, or an object with `jobs` and, if wanted, `defaults`. What is no JSON ends the
    reading."""
    document = _Document(text, found)
    start = _skip(text, 0)
    try:
        match text[start : start + 1]:
            case "[":
                end = _walk(text, start, document.row)
            case "{":
                end = _walk(text, start, document.member)
                document.check_keys()
            case _:
                _, end = document.scanner.value(text, start)
                found.mistake(document.line_at(start), "a batch is a list of rows, or an object with jobs")
        _check_end(text, end)
    except json.JSONDecodeError as error:
        is_lines = error.msg == "Extra data" and text[error.pos : error.pos + 1] == "{"
        hint = "; a file with an object a line is named .jsonl" if is_lines else ""
        found.mistake(error.lineno, f"not JSON: {error.msg}{hint}", column=error.colno)


class _Document:
    """What is visited on the walk through a document, which goes from its beginning to its end."""

    def __init__(self, text: str, found: Found) -> None:
        self.scanner = _Scanner()
        self._text = text
        self._found = found
        self._keys: set[str | int] = set()
        self._reached = 0
        self._line = 1

    def line_at(self, place: int) -> int:
        """The line of a place, none before the last one asked for: each line feed is counted once."""
        self._line += self._text.count("\n", self._reached, place)
        self._reached = place
        return self._line

    def row(self, _index: str | int, _start: int, start: int) -> int:
        value, end = self.scanner.value(self._text, start)
        line = self.line_at(start)
        if end - start > _MAX_ROW:
            self._found.next_row(line)
            self._found.mistake(line, _TOO_LONG)
        elif _said_odd(self.scanner, line, self._found):
            self._found.next_row(line)
        else:
            self._found.row(line, value, partial(_line_of, self._text, start, line))
        return end

    def member(self, key: str | int, key_start: int, start: int) -> int:
        line = self.line_at(key_start)
        if key in self._keys:
            self._found.mistake(line, "this key stands there twice", field=str(key))
        self._keys.add(key)
        if key == "jobs" and self._text[start] == "[":
            return _walk(self._text, start, self.row)
        value, end = self.scanner.value(self._text, start)
        if _said_odd(self.scanner, line, self._found):
            return end
        if key == "defaults":
            begin = self.line_at(start)
            self._found.default_row(line, value, partial(_line_of, self._text, start, begin))
        elif key == "jobs":
            self._found.mistake(line, "it is a list of rows", field="jobs")
        else:
            self._found.mistake(line, "unknown key; there are jobs and defaults", field=str(key))
        return end

    def check_keys(self) -> None:
        if "jobs" not in self._keys:
            self._found.mistake(1, "an object without jobs: they are a list of rows")


class _Scanner:
    """Reads one JSON value at a place, and keeps what JSON allows and no row should hold."""

    def __init__(self) -> None:
        self.odd: list[tuple[str, str]] = []
        """A key, or nothing, and what is wrong."""
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_int=self._integer
        )

    def value(self, text: str, start: int) -> tuple[Any, int]:
        """The value that begins there and where it ends. Raises json.JSONDecodeError."""
        self.odd.clear()
        try:
            return self._decoder.raw_decode(text, start)
        except RecursionError:
            raise json.JSONDecodeError("It is nested too deep", text, start) from None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    self.odd.append((key, "this key stands there twice"))
                seen.add(key)
        return made

    def _constant(self, word: str) -> None:
        self.odd.append(("", f"{word} is no number"))

    def _integer(self, digits: str) -> int:
        if len(digits) > _MAX_DIGITS:
            self.odd.append(("", f"a number of {len(digits):,} digits is not read"))
            return 0
        return int(digits)


def _said_odd(scanner: _Scanner, line: int, found: Found) -> bool:
    """Note what is odd in the value that was read last; whether there is anything."""
    for key, message in list(dict.fromkeys(scanner.odd))[:MOST_OF_A_ROW]:
        found.mistake(line, message, field=clean_prompt(key)[:_MOST_OF_A_KEY])
    return bool(scanner.odd)


def _walk(text: str, start: int, visit: _Visit) -> int:
    """Visit each member of the object or list that begins there; return where it ends.

    Raises json.JSONDecodeError.
    """
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    at = _skip(text, start + 1)
    if text[at : at + 1] == closing:
        return at + 1
    index = 0
    while True:
        key: str | int = index
        key_start = at
        if is_object:
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("Expecting property name enclosed in double quotes", text, at)
            key, at = _KEYS.raw_decode(text, at)
            at = _skip(text, at)
            if text[at : at + 1] != ":":
                raise json.JSONDecodeError("Expecting ':' delimiter", text, at)
            at = _skip(text, at + 1)
        if at >= len(text):
            raise json.JSONDecodeError("Expecting value", text, at)
        at = _skip(text, visit(key, key_start, at))
        if text[at : at + 1] == closing:
            return at + 1
        if text[at : at + 1] != ",":
            raise json.JSONDecodeError("Expecting ',' delimiter", text, at)
        at = _skip(text, at + 1)
        index += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _check_end(text: str, end: int) -> None:
    end = _skip(text, end)
    if end < len(text):
        raise json.JSONDecodeError("Extra data", text, end)


def _line_of(text: str, start: int, line: int, place: Place) -> int:
    """The line of a place within the value that begins at `start`, on `line`; of the nearest one around it
    where that is not there."""
    nearest = at = start
    for part in place:
        member = _member(text, at, part)
        if member is None:
            break
        nearest, at = member
    return line + text.count("\n", start, nearest)


def _member(text: str, start: int, wanted: str | int) -> tuple[int, int] | None:
    """Where a member of the value that begins there begins, and where its own value does."""
    scanner = _Scanner()
    reached: list[tuple[int, int]] = []

    def visit(key: str | int, key_start: int, value_start: int) -> int:
        if key == wanted:
            reached.append((key_start, value_start))
        return scanner.value(text, value_start)[1]

    if text[start] in "{[":
        _walk(text, start, visit)
    return reached[0] if reached else None
