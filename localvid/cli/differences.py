"""What an edit changed in a storyboard, as a person reads it: by shots and fields, with the words marked."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from localvid.cli import output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from localvid.schemas import Revision, Shot, Storyboard

_FILM_FIELDS = ("title", "characters", "setting", "style", "written_by")
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\d+\.\d+|\w+|\s+|[^\w\s]")
"""Words, and the single characters of scripts that put no spaces between them."""
_ADDED, _REMOVED = "green", "red"


class ShotChange(NamedTuple):
    """One shot: its places from 1 before (`was`) and after; None where there is none."""

    was: int | None
    number: int | None
    fields: dict[str, tuple[str, str]]
    """Name → what it said and what it says, of what differs."""
    description: str
    motion: str = ""
    """How a new shot moves and how long it is."""

    @property
    def kind(self) -> str:
        if self.was is None:
            return "new"
        if self.number is None:
            return "removed"
        return "changed" if self.fields else "kept"


def film_changes(before: Storyboard, after: Storyboard) -> dict[str, tuple[str, str]]:
    """What differs of what all shots share."""
    pairs = {name: (getattr(before, name), getattr(after, name)) for name in _FILM_FIELDS}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def shot_changes(before: Storyboard, revision: Revision) -> list[ShotChange]:
    """Every shot in its new order; one that is removed stands where it stood."""
    changes: list[ShotChange] = []
    gone = [origin for origin in range(len(before.shots)) if origin not in revision.origins]
    for place, (origin, shot) in enumerate(
        zip(revision.origins, revision.storyboard.shots, strict=True), start=1
    ):
        if origin is not None:
            while gone and gone[0] < origin:
                changes.append(_removed(before, gone.pop(0)))
        old = None if origin is None else before.shots[origin]
        changes.append(
            ShotChange(
                was=None if origin is None else origin + 1,
                number=place,
                fields=_differing(old, shot) if old else {},
                description=shot.description,
                motion=""
                if old
                else f"{shot.move_in_words}, energy {shot.energy:g}, {shot.duration_seconds:g} s",
            )
        )
    return [*changes, *(_removed(before, origin) for origin in gone)]


def is_same(before: Storyboard, revision: Revision) -> bool:
    """Whether nothing changed."""
    return revision.storyboard == before and revision.origins == tuple(range(len(before.shots)))


def changes_document(before: Storyboard, revision: Revision) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "film": {
            name: {"before": old, "after": new}
            for name, (old, new) in film_changes(before, revision.storyboard).items()
        },
        "shots": [
            {
                "number": change.number,
                "was": change.was,
                "change": change.kind,
                "fields": {name: {"before": old, "after": new} for name, (old, new) in change.fields.items()},
            }
            for change in shot_changes(before, revision)
        ],
        "notes": revision.notes,
    }


def print_differences(console: Console, before: Storyboard, revision: Revision) -> None:
    """Fields of the film, then the shots; those that are kept are counted."""
    for name, (old, new) in film_changes(before, revision.storyboard).items():
        _print_field(console, name, old, new, indent=2)
    for is_kept, group in groupby(shot_changes(before, revision), key=_run):
        changes = list(group)
        if is_kept:
            console.print(f"  {_kept(changes)}", style="bright_black")
            continue
        for change in changes:
            _print_shot(console, change)


def _run(change: ShotChange) -> tuple[int, bool] | None:
    """Neighbours of the same are shots that are kept, and moved together."""
    if change.kind != "kept" or change.number is None or change.was is None:
        return None
    return change.number - change.was, True


# --- shots -------------------------------------------------------------------------------------------


def _removed(before: Storyboard, origin: int) -> ShotChange:
    return ShotChange(origin + 1, None, {}, before.shots[origin].description)


def _differing(old: Shot, new: Shot) -> dict[str, tuple[str, str]]:
    said = zip(_fields(old).items(), _fields(new).values(), strict=True)
    return {name: (before, after) for (name, before), after in said if before != after}


def _fields(shot: Shot) -> dict[str, str]:
    """What a shot says, field by field, in words."""
    return {
        "description": shot.description,
        "camera": shot.camera.value.replace("_", " "),
        "camera speed": shot.camera_speed.value,
        "energy": f"{shot.energy:g}",
        "seconds": f"{shot.duration_seconds:g}",
        "transition": shot.transition.in_words,
        "image": str(shot.reference_image or ""),
        "seed": "" if shot.seed is None else str(shot.seed),
        "continues": "yes" if shot.continue_from_previous else "no",
    }


def _kept(changes: Sequence[ShotChange]) -> str:
    """ "shots 2 to 4 (1 to 3 before) stay as they are"."""
    first, last = changes[0], changes[-1]
    moved = first.number != first.was
    if len(changes) == 1:
        return f"shot {first.number}{f' ({first.was} before)' if moved else ''} stays as it is"
    before = f" ({first.was} to {last.was} before)" if moved else ""
    return f"shots {first.number} to {last.number}{before} stay as they are"


def _print_shot(console: Console, change: ShotChange) -> None:
    if change.kind in ("new", "removed"):
        number, mark, style = (
            (change.number, "+", _ADDED) if change.kind == "new" else (change.was, "-", _REMOVED)
        )
        console.print(f"{mark} shot {number}, {change.kind}", style=style)
        output.print_hanging(console, change.description, indent=6)
        if change.motion:
            output.print_hanging(console, change.motion, indent=6)
        return
    moved = f" ({change.was} before)" if change.was != change.number else ""
    console.print(f"  shot {change.number}{moved}", style="bold")
    for name, (old, new) in change.fields.items():
        _print_field(console, "" if name == "description" else name, old, new, indent=6)


# --- words -------------------------------------------------------------------------------------------


def _print_field(console: Console, name: str, old: str, new: str, *, indent: int) -> None:
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid()
    shown.add_column(width=indent, no_wrap=True)
    shown.add_column(overflow="fold")
    marked = marked_words(
        output.one_line(old), output.one_line(new), coloured=console.color_system is not None
    )
    shown.add_row("", Text.assemble((f"{name}: ", "bright_black"), marked) if name else marked)
    output.print_trimmed(console, shown)


def marked_words(old: str, new: str, *, coloured: bool) -> Text:
    """The new words, those that came and those that went marked: by colour, or as [-gone-] and {+come+}."""
    from rich.text import Text

    marked = Text()
    for gone, come, same in _pieces(_TOKEN.findall(old), _TOKEN.findall(new)):
        if gone:
            marked.append(gone if coloured else f"[-{gone}-]", style=f"{_REMOVED} strike")
        if gone and come and coloured:
            marked.append(" ")
        if come:
            marked.append(come if coloured else f"{{+{come}+}}", style=_ADDED)
        marked.append(same)
    return marked


def _pieces(old: Sequence[str], new: Sequence[str]) -> list[tuple[str, str, str]]:
    """What went, what came in its place, and what follows unchanged. Spaces alone between changes count as
    changed, so that a phrase is marked as one."""
    pieces: list[tuple[str, str, str]] = []
    for tag, start, end, begin, stop in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, come = "".join(old[start:end]), "".join(new[begin:stop])
        if tag == "equal" and come.isspace() and pieces and end < len(old) and stop < len(new):
            before, after, same = pieces.pop()
            pieces.append((before + come if before else "", after + come if after else "", same))
        elif tag == "equal":
            pieces.append(("", "", come))
        elif pieces and not pieces[-1][2]:
            before, after, _ = pieces.pop()
            pieces.append((before + gone, after + come, ""))
        else:
            pieces.append((gone, come, ""))
    return pieces
