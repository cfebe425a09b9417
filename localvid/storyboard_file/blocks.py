"""Shots moved, added and taken out within a YAML text, each with its lines and its comments."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from localvid.schemas import Shot
from localvid.storyboard_file.edits import Edits, unkept_layout
from localvid.storyboard_file.nodes import Scalar
from localvid.storyboard_file.nodes import Sequence as SequenceNode
from localvid.storyboard_file.writing import SHOT_KEYS, left_out, said, shot_lines, word


class _Line(NamedTuple):
    start: int
    end: int
    text: str

    @property
    def column(self) -> int:
        return len(self.text) - len(self.text.lstrip(" "))

    @property
    def is_blank(self) -> bool:
        return not self.text.strip()


class _Block(NamedTuple):
    """A shot's lines, from the first one's start to the last one's end."""

    blank_lines: int
    """That part it from what stands above."""
    start: int
    end: int


# --- a line for each key -------------------------------------------------------------------------


def arrange_blocks(
    edits: Edits, key: Scalar, shots: SequenceNode, after: Sequence[Shot], origins: Sequence[int | None]
) -> None:
    """Put the items of a block sequence into a new order, with new ones for shots that come from none.

    A comment belongs to the shot below it; one that stands deeper than the dashes to the shot that it stands
    in. What stands above the first shot and is parted from it by a blank line stays above all.
    """
    dash, blocks = _blocks(edits, key, shots)
    keys = edits.column(shots.items[0].start)
    usual = statistics.mode([block.blank_lines for block in blocks[1:]] or [1])
    parts = []
    for place, (shot, origin) in enumerate(zip(after, origins, strict=True)):
        if origin is None:
            said_here = edits.newline.join(shot_lines(shot, dash=dash, keys=max(keys, dash + 2)))
        else:
            said_here = edits.applied(blocks[origin].start, blocks[origin].end)
        blank_lines = blocks[origin].blank_lines if origin else usual
        parts.append((edits.newline * blank_lines if place else "") + said_here)
    edits.replace_whole(blocks[0].start, blocks[-1].end, edits.newline.join(parts))


def _blocks(edits: Edits, key: Scalar, shots: SequenceNode) -> tuple[int, list[_Block]]:
    """The column of the dashes, and the block of each shot."""
    above = _lines(edits, key.end, shots.items[0].start)
    dashes = (index for index, line in enumerate(above) if line.text.lstrip(" ").startswith("-"))
    first = next(dashes, None)
    if first is None:  # lines that end in another way than is known here
        raise unkept_layout()
    dash = above[first].column
    start = first
    while start and not above[start - 1].is_blank:
        start -= 1
    blocks = []
    place, blank_lines = above[start].start, 0
    for index, item in enumerate(shots.items):
        following = shots.items[index + 1].start if index + 1 < len(shots.items) else len(edits.text)
        below = _between(_lines(edits, item.end, following))
        inside = [
            number for number, line in enumerate(below, start=1) if line.column > dash and not line.is_blank
        ]
        own = inside[-1] if inside else 0
        end = below[own - 1].end if own else edits.line_end(item.end)
        blocks.append(_Block(blank_lines, place, end))
        rest = _lines(edits, end, following)
        blank_lines = next((number for number, line in enumerate(rest) if not line.is_blank), 0)
        place = rest[blank_lines].start if rest else end
    return dash, blocks


def _between(lines: Sequence[_Line]) -> list[_Line]:
    """The blank lines and comments before anything else."""
    found = []
    for line in lines:
        if not line.is_blank and not line.text.lstrip(" ").startswith("#"):
            break
        found.append(line)
    return found


def _lines(edits: Edits, start: int, stop: int) -> list[_Line]:
    """The lines below that of `start`, up to that of `stop`."""
    lines = []
    place = edits.next_line(start)
    while place is not None and place <= stop:
        end = edits.line_end(place)
        lines.append(_Line(place, end, edits.text[place:end]))
        place = edits.next_line(place)
    return lines


# --- in brackets ---------------------------------------------------------------------------------


def arrange_flow(
    edits: Edits, shots: SequenceNode, after: Sequence[Shot], origins: Sequence[int | None]
) -> None:
    """The same for shots in brackets, one below the other unless they stood on one line."""
    items = shots.items
    starts = [*(item.start for item in items), shots.end - 1]
    ends = [shots.start + 1, *(item.end for item in items)]
    gaps = [edits.text[end:start] for end, start in zip(ends, starts, strict=True)]
    texts = [
        _in_braces(shot) if origin is None else edits.applied(items[origin].start, items[origin].end)
        for shot, origin in zip(after, origins, strict=True)
    ]
    if not any("\n" in gap for gap in gaps):
        edits.replace_whole(shots.start, shots.end, f"[{', '.join(texts)}]")
        return
    indent = " " * max(edits.column(items[0].start) if "\n" in gaps[0] else 0, 2)
    lines = [f"[{_comments(gaps[0])[0]}"]
    for place, (text, origin) in enumerate(zip(texts, origins, strict=True)):
        beside, above = "", []
        if origin is not None:
            beside = _comments(gaps[origin + 1])[0]
            above = _comments(gaps[origin])[1]
        lines += (indent + comment for comment in above)
        lines.append(f"{indent}{text}{',' if place + 1 < len(texts) else ''}{beside}")
    lines += (indent + comment for comment in _comments(gaps[-1])[1])
    close = gaps[-1].rpartition("\n")[2] if "\n" in gaps[-1] else indent
    lines.append(f"{close if not close.strip() else indent}]")
    edits.replace_whole(shots.start, shots.end, edits.newline.join(lines))


def _comments(gap: str) -> tuple[str, list[str]]:
    """The comment beside what stands before the gap, and those above what stands after it."""
    first, *others = (re.search(r"(?:^|(?<=[\s,]))#.*", line) for line in gap.split("\n"))
    return (f" {first[0].rstrip()}" if first else "", [found[0].rstrip() for found in others if found])


def _in_braces(shot: Shot) -> str:
    pairs = ((key, said(getattr(shot, key))) for key in SHOT_KEYS if not left_out(shot, key))
    return "{" + ", ".join(f"{key}: {word(value, flow=True)}" for key, value in pairs) + "}"
