"""YAML text as nodes that know their place in it; only what JSON could say, too.

Plain words are read by the core schema of YAML 1.2: `on`, `no` and `2024-01-01` are words. What a storyboard
never needs and what can do harm is refused with its line: tags, anchors and aliases, several documents,
the same key twice, numbers that are none, and more depth or more values than any storyboard has.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from localvid.schemas import clean_prompt

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None


class Limits(NamedTuple):
    """What a text may hold, and what errors call it."""

    what: str
    depth: int
    nodes: int


STORYBOARD = Limits("a storyboard", depth=6, nodes=10_000)
"""100 shots of all keys, each transition with its own two, are 2,700 keys and values."""

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_DIGITS = 400

_UNREADABLE = "it cannot be read"
_REASONS = {
    "expected <block end>": "its indentation does not fit what stands above",
    "mapping values are not allowed here": "a colon stands where no key can be",
    "could not find expected ':'": "a key is followed by a colon and a space",
    "found unexpected end of stream": "quotes are opened and not closed",
    "found character '\\t'": "a tab stands where only spaces can",
    "special characters are not allowed": "a control character stands in it",
}
"""What the parser says → what it means to who wrote the file."""
_BEGUN_EARLIER = ("could not find expected ':'", "found unexpected end of stream")
"""What it says of the end of a text whose beginning is the place to mend."""


class YamlTextError(Exception):
    """Why a text is not read as YAML, in words, and the line, counted from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.message = message
        self.line = line


class Scalar(NamedTuple):
    """A word, a number or a text. `style` is "" for a plain one, else the character that begins it."""

    text: str
    style: str
    start: int
    end: int
    line: int

    @property
    def value(self) -> Value:
        """What JSON would say. Raises YamlTextError for a number that is none."""
        if self.style:
            return self.text
        if _NULL.fullmatch(self.text):
            return None
        if _BOOL.fullmatch(self.text):
            return self.text.lower() == "true"
        if _INT.fullmatch(self.text) and len(self.text) <= _MAX_DIGITS:
            return int(self.text)
        if _FLOAT.fullmatch(self.text) and math.isfinite(number := float(self.text)):
            return number
        if _FLOAT.fullmatch(self.text) or _NO_NUMBER.fullmatch(self.text):
            raise YamlTextError(f"{self.text[:40]} is no number that is read", self.line)
        return self.text


class Mapping(NamedTuple):
    entries: list[Entry]
    flow: bool
    start: int
    end: int
    line: int

    @property
    def value(self) -> Value:
        return {entry.key.text: entry.value.value for entry in self.entries}

    def entry(self, key: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.key.text == key), None)


class Sequence(NamedTuple):
    items: list[Node]
    flow: bool
    start: int
    end: int
    line: int

    @property
    def value(self) -> Value:
        return [item.value for item in self.items]


Node = Scalar | Mapping | Sequence


class Entry(NamedTuple):
    key: Scalar
    value: Node

    @property
    def start(self) -> int:
        return self.key.start

    @property
    def end(self) -> int:
        return self.value.end


def compose(text: str, limits: Limits = STORYBOARD) -> Node | None:
    """The one document in the text; None where there is none. `start` and `end` of a node are places in
    `text`, without the blank lines and comments after it. Raises YamlTextError."""
    try:
        return _Composer(text, limits).document()
    except MarkedYAMLError as error:
        reason = error.problem or error.context or _UNREADABLE
        begun = any(found in reason for found in _BEGUN_EARLIER)
        mark = (error.context_mark if begun else None) or error.problem_mark
        raise YamlTextError(_said(reason), mark.line + 1 if mark else 1) from error
    except (YAMLError, ValueError, OverflowError) as error:
        # A character that YAML does not allow, or an escape that is no character.
        place = getattr(error, "position", None)
        line = text.count("\n", 0, place) + 1 if isinstance(place, int) else 1
        raise YamlTextError(_said(str(getattr(error, "reason", _UNREADABLE))), line) from error


def _said(reason: str) -> str:
    return next((said for found, said in _REASONS.items() if found in reason), reason)


def node_at(node: Node, place: tuple[int | str, ...]) -> Node:
    """The node at a place such as `("shots", 0, "energy")`, or the nearest one around it."""
    for part in place:
        if isinstance(node, Mapping) and isinstance(part, str) and (entry := node.entry(part)):
            node = entry.value
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            break
    return node


class _Composer:
    """Nodes from ruamel.yaml's events; its own composer would follow aliases and knows no limits."""

    def __init__(self, text: str, limits: Limits) -> None:
        self._text = text
        self._limits = limits
        self._events: Iterator[Any] = YAML(typ="safe", pure=True).parse(text)
        self._nodes = 0

    def document(self) -> Node | None:
        node = None
        for event in self._events:
            if type(event).__name__ == "DocumentStartEvent":
                if node is not None:
                    raise YamlTextError("a second document begins", _line(event))
                node = self._node(next(self._events), depth=0)
        return node

    def _node(self, event: Any, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > self._limits.nodes:
            raise YamlTextError(f"it holds more than {self._limits.what} can", _line(event))
        if depth > self._limits.depth:
            raise YamlTextError(f"it is nested deeper than {self._limits.what} can be", _line(event))
        kind = type(event).__name__
        if kind == "AliasEvent" or event.anchor is not None:
            raise YamlTextError(
                "anchors and aliases (& and *) are not read; write it out, or put text in quotes",
                _line(event),
            )
        if event.tag is not None:
            tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")[:60]
            raise YamlTextError(f"the tag {tag} is not read; text is put in quotes", _line(event))
        if kind == "ScalarEvent":
            return self._scalar(event)
        if kind == "MappingStartEvent":
            return self._mapping(event, depth)
        return self._sequence(event, depth)

    def _scalar(self, event: Any) -> Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        style = event.style or ""
        if style in (">", "|"):
            end = start + len(self._text[start:end].rstrip())
        return Scalar(event.value, style, start, end, _line(event))

    def _mapping(self, event: Any, depth: int) -> Mapping:
        entries: list[Entry] = []
        keys: set[str] = set()
        end = event.end_mark
        for inner in self._events:
            if type(inner).__name__ == "MappingEndEvent":
                end = inner.end_mark
                break
            key = self._node(inner, depth + 1)
            if not isinstance(key, Scalar):
                raise YamlTextError("a key is one word", _line(inner))
            if key.text in keys:
                raise YamlTextError(f"the key {clean_prompt(key.text)[:40]} stands there twice", key.line)
            keys.add(key.text)
            entries.append(Entry(key, self._after_key(key, self._node(next(self._events), depth + 1))))
        flow = bool(event.flow_style)
        stop = end.index if flow or not entries else entries[-1].end
        return Mapping(entries, flow, event.start_mark.index, stop, _line(event))

    def _after_key(self, key: Scalar, value: Node) -> Node:
        """A value that is not there stands right after its key's colon, not after what comments follow."""
        if isinstance(value, Scalar) and not value.style and not value.text:
            colon = self._text.find(":", key.end)
            place = colon + 1 if 0 <= colon < value.start else key.end
            return value._replace(start=place, end=place, line=key.line)
        return value

    def _sequence(self, event: Any, depth: int) -> Sequence:
        items: list[Node] = []
        end = event.end_mark
        for inner in self._events:
            if type(inner).__name__ == "SequenceEndEvent":
                end = inner.end_mark
                break
            items.append(self._node(inner, depth + 1))
        flow = bool(event.flow_style)
        stop = end.index if flow or not items else items[-1].end
        return Sequence(items, flow, event.start_mark.index, stop, _line(event))


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
