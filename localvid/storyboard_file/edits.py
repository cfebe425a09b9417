"""Changes of a YAML text at places in it: values replaced, keys added and taken out."""

from __future__ import annotations

from collections.abc import Sequence

from localvid.errors import InvalidStoryboardError
from localvid.schemas import Transition
from localvid.storyboard_file.nodes import Entry, Mapping, Node, Scalar
from localvid.storyboard_file.scalars import folded, literal, on_one_line
from localvid.storyboard_file.writing import Said, transition_text, value_text, word


class Edits:
    """Replacements in a text, none within another, to be applied together."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self._edits: list[tuple[int, int, str]] = []

    def replace(self, start: int, end: int, new: str) -> None:
        """`new` has its lines ended by a line feed, whatever those of the text are."""
        self._edits.append((start, end, new.replace("\n", self.newline)))

    def replace_whole(self, start: int, end: int, new: str) -> None:
        """Replace a part with the edits in it: `new` holds what is to be kept of them."""
        self._edits = [edit for edit in self._edits if not (start <= edit[0] and edit[1] <= end)]
        self._edits.append((start, end, new))

    def applied(self, start: int = 0, end: int | None = None) -> str:
        """That part of the text with the edits within it."""
        end = len(self.text) if end is None else end
        parts: list[str] = []
        for first, last, new in sorted(self._edits, key=lambda edit: edit[:2]):
            if start <= first and last <= end:
                parts += (self.text[start:first], new)
                start = last
        return "".join((*parts, self.text[start:end]))

    def line_start(self, place: int) -> int:
        return self.text.rfind("\n", 0, place) + 1

    def line_end(self, place: int) -> int:
        """Where the line of `place` ends, before what ends it."""
        end = self.text.find("\n", place)
        end = len(self.text) if end < 0 else end
        return end - 1 if self.text[place:end].endswith("\r") else end

    def next_line(self, place: int) -> int | None:
        """Where the line after that of `place` begins, if there is one."""
        end = self.text.find("\n", place)
        return end + 1 if 0 <= end < len(self.text) - 1 else None

    def column(self, place: int) -> int:
        return place - self.line_start(place)


def unkept_layout() -> InvalidStoryboardError:
    """What is said where a text cannot be changed within its own layout."""
    return InvalidStoryboardError(
        "the file is laid out in a way that cannot be changed in place",
        hint="write it as JSON: --output NAME.json",
    )


def set_values(edits: Edits, mapping: Mapping, changes: dict[str, Said], *, order: Sequence[str]) -> None:
    """Give keys of the mapping other values; None takes a key out. A new key comes after the
    last of those that stand before it in `order`."""
    for key, value in changes.items():
        entry = mapping.entry(key)
        if entry is None:
            if value is not None:
                _insert(edits, mapping, key, value, order=order)
        elif value is None:
            _remove(edits, mapping, entry)
        elif isinstance(value, Transition) and isinstance(entry.value, Mapping):
            parts: dict[str, Said] = {"kind": value.kind.value, "duration_seconds": value.duration_seconds}
            old = {
                part.key.text: part.value.text
                for part in entry.value.entries
                if isinstance(part.value, Scalar)
            }
            parts = {part: new for part, new in parts.items() if old.get(part) != word(new)}
            set_values(edits, entry.value, parts, order=("kind", "duration_seconds"))
        else:
            _replace(edits, mapping, entry, value)


def _replace(edits: Edits, mapping: Mapping, entry: Entry, value: Said) -> None:
    node = entry.value
    text = transition_text(value) if isinstance(value, Transition) else value
    before = "" if edits.text[node.start - 1 : node.start] in (" ", "\t", "\n") else " "
    edits.replace(node.start, node.end, before + _like(edits, mapping, entry, text))


def _like(edits: Edits, mapping: Mapping, entry: Entry, value: Said) -> str:
    """The new value, written as the old one was as far as that can hold it."""
    node = entry.value
    if not isinstance(value, str):
        return word(value)
    style = node.style if isinstance(node, Scalar) else ""
    indent = edits.column(entry.start)
    if style in ("|", ">"):
        _, sign, comment = edits.text[node.start : edits.line_end(node.start)].partition("#")
        beside = f" {sign}{comment}" if sign else ""
        first = next((line for line in edits.text[node.start : node.end].split("\n")[1:] if line.strip()), "")
        deep = max(indent + 1, len(first) - len(first.lstrip(" ")))
        new = folded(value, indent=deep, header=f">-{beside}") if style == ">" else None
        new = new or literal(value, indent=deep, header=f"|-{beside}")
        return new or f"{on_one_line(value)}{beside}"
    if mapping.flow or style or edits.text[node.end : edits.line_end(node.end)].strip():
        return on_one_line(value, quote=style, flow=mapping.flow)
    return value_text(value, indent=indent, column=edits.column(node.start))


def _insert(edits: Edits, mapping: Mapping, key: str, value: Said, *, order: Sequence[str]) -> None:
    if isinstance(value, Transition):
        value = transition_text(value)
    earlier = order[: order.index(key)]
    anchor = next((entry for name in reversed(earlier) if (entry := mapping.entry(name))), None)
    if mapping.flow:
        said = f"{key}: {word(value, flow=True)}"
        if anchor is not None:
            edits.replace(anchor.end, anchor.end, f", {said}")
        else:
            edits.replace(mapping.start + 1, mapping.start + 1, f"{said}, ")
        return
    first = mapping.entries[0]
    indent = edits.column(first.start)
    said = f"{key}: {value_text(value, indent=indent, column=indent + len(key) + 2)}"
    if anchor is not None:
        end = edits.line_end(anchor.end)
        edits.replace(end, end, f"\n{' ' * indent}{said}")
    else:
        edits.replace(first.start, first.start, f"{said}\n{' ' * indent}")


def _remove(edits: Edits, mapping: Mapping, entry: Entry) -> None:
    place = mapping.entries.index(entry)
    following: Node | Entry | None = mapping.entries[place + 1] if place + 1 < len(mapping.entries) else None
    if place == 0 and following is not None:
        # On the line of its dash stands the next key then, unless there are comments above that.
        end = edits.line_end(entry.end)
        is_next = mapping.flow or not edits.text[end : following.start].strip()
        edits.replace(entry.start, following.start if is_next else end, "")
    elif mapping.flow:
        edits.replace(mapping.entries[place - 1].end, entry.end, "")
    else:
        above = edits.line_start(entry.start) - 1
        above -= edits.text[above - 1 : above] == "\r"
        edits.replace(above, edits.line_end(entry.end), "")
