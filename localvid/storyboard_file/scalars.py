"""Texts, words and numbers as YAML that a person would have written, and that reads back as it was."""

from __future__ import annotations

import json
import re

from localvid.storyboard_file.nodes import Mapping, Scalar, Sequence, YamlTextError, compose

WIDTH = 92
"""Columns after which a text is folded."""

_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010fffd]"
)
"""What YAML does not allow, what it takes for a line break, and the byte order mark."""


def number(value: float) -> str:
    """`4`, `0.5`: the shortest that is the same number, without a point where none is needed."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else repr(value)


def on_one_line(text: str, *, quote: str = "", flow: bool = False) -> str:
    """The text as it was quoted before, or else plain, as far as that can hold it; quoted where it cannot."""
    if quote == "'" and not re.search(r"[\t\n\r]", text) and not _UNPRINTABLE.search(text):
        return "'" + text.replace("'", "''") + "'"
    if quote != '"' and _is_plain(text, flow=flow):
        return text
    escaped = json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped)


def folded(text: str, *, indent: int, header: str = ">-") -> str | None:
    """The text as a folded block, its lines indented by so much; None for what such a block would change."""
    if not text or text != text.strip() or re.search(r"[\t\n\r]", text) or _UNPRINTABLE.search(text):
        return None
    lines: list[str] = []
    for word in re.split(r"(?<! ) (?! )", text):
        if lines and columns(lines[-1]) + 1 + columns(word) <= WIDTH - indent:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return "\n".join([header, *(" " * indent + line for line in lines)])


def literal(text: str, *, indent: int, header: str = "|-") -> str | None:
    """The text as a block that keeps its lines, indented by so much; None for what that would change."""
    if not text or text != text.strip() or re.search(r"[\t\r]", text) or _UNPRINTABLE.search(text):
        return None
    return "\n".join([header, *(" " * indent + line if line else "" for line in text.split("\n"))])


def columns(text: str) -> int:
    """As wide as it looks: the scripts of East Asia take two columns a character."""
    return sum(2 if "\u1100" <= char <= "\u115f" or "\u2e80" <= char <= "\uffdc" else 1 for char in text)


def _is_plain(text: str, *, flow: bool) -> bool:
    """Whether it reads back as this text where nothing is put around it."""
    if not text or text != text.strip() or re.search(r"[\t\n\r]", text) or _UNPRINTABLE.search(text):
        return False
    if flow and ":" in (text[0], text[-1]):
        return False  # before a comma or a brace it may be taken for the mark of a key
    try:
        root = compose(f"x: [{text}, 1]" if flow else f"x: {text}")
        node = root.entries[0].value if isinstance(root, Mapping) and len(root.entries) == 1 else None
        if flow and isinstance(node, Sequence) and len(node.items) == 2:
            node = node.items[0]
        return isinstance(node, Scalar) and node.value == text
    except YamlTextError:
        return False
