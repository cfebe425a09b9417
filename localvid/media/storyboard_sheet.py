"""A storyboard as a contact sheet: a still of each shot, its words, its camera, its time, how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw

from localvid.media.camera_signs import draw_sign
from localvid.media.lettering import Font, default_font, wrapped, write_line
from localvid.media.sheets import FAINT, INK, Grid, save_picture
from localvid.schemas import Shot, Storyboard, clean_prompt

_ACCENT = (255, 196, 84)
_DARK = (28, 24, 20)
_TRACK = (52, 52, 60)
_MOST_LINES = 6
"""Of a shot's words; longer ones end in an ellipsis."""
_GAP = 24


class SheetSize(NamedTuple):
    """How many stills stand side by side, and their size in pixels."""

    columns: int
    width: int
    height: int


def sheet_size(num_shots: int, *, aspect: float) -> SheetSize:
    """What reads well on a screen: fewer shots are shown larger. `aspect` is a film's width by its height."""
    columns = next(
        columns
        for most, columns in ((1, 1), (2, 2), (3, 3), (4, 2), (6, 3), (12, 4), (10**9, 5))
        if num_shots <= most
    )
    side = {1: 960, 2: 640, 3: 520, 4: 440, 5: 400}[columns]
    width = side * min(1.0, sqrt(aspect / (16 / 9)))
    return SheetSize(columns, _even(width), _even(width / aspect))


def draw_sheet(
    storyboard: Storyboard, stills: Sequence[Path], output: Path, *, size: SheetSize, summary: str
) -> None:
    """Write the sheet as a picture, PNG, JPEG or WebP by its suffix; a file that is there is replaced.

    `stills` are of `size`, one for each shot; `summary` says in words how long the film is. Raises
    InvalidRequestError for another suffix, WorkspaceError.
    """
    shown = _Sheet(storyboard, size, summary)
    sheet = shown.grid.blank()
    shown.write_head(sheet)
    for index, still in enumerate(stills):
        with Image.open(still) as picture:
            shown.draw_shot(sheet, index, picture)
    save_picture(sheet, output, overwrite=True)


class _Sheet:
    """Where things stand: measured once over all shots, so that rows line up."""

    def __init__(self, storyboard: Storyboard, size: SheetSize, summary: str) -> None:
        self._shots = storyboard.shots
        self._text = max(13, min(22, size.width // 26))
        self._step = round(self._text * 1.4)
        self._words = [
            wrapped(clean_prompt(shot.description), size=self._text, room=size.width, most=_MOST_LINES)
            for shot in self._shots
        ]
        counts = [len(words) for words, _ in self._words]
        lines = [max(counts[first : first + size.columns]) for first in range(0, len(counts), size.columns)]
        room = size.columns * (size.width + _GAP) - _GAP
        self._head = _head(storyboard, summary, size=self._text, room=room)
        self.grid = Grid(
            columns=size.columns,
            cell=size.width,
            picture=size.height,
            labels=tuple(round(self._step * (count + 2.9)) for count in lines),
            head=2 * _GAP + sum(round(line.size * 1.4) for line in self._head),
            gap=_GAP,
        )

    def write_head(self, sheet: Image.Image) -> None:
        draw = ImageDraw.Draw(sheet)
        top = _GAP
        for line in self._head:
            write_line(
                draw, (_GAP, top), line.text, line.font, room=self.grid.width - 2 * _GAP, fill=line.ink
            )
            top += round(line.size * 1.4)

    def draw_shot(self, sheet: Image.Image, index: int, picture: Image.Image) -> None:
        shot = self._shots[index]
        left, top = self.grid.place(index)
        sheet.paste(picture.convert("RGB"), (left, top))
        draw = ImageDraw.Draw(sheet)
        self._badge(sheet, left, top, str(index + 1))
        below = top + self.grid.picture + round(self._text * 0.5)
        self._motion(sheet, draw, shot, left, below)
        below += round(self._step * 1.3)
        words, font = self._words[index]
        for line in words:
            write_line(draw, (left, below), line, font, room=self.grid.cell, fill=INK)
            below += self._step
        last = index + 1 == len(self._shots)
        self._ending(draw, shot, left, below + round(self._step * 0.15), last=last)

    def _badge(self, sheet: Image.Image, left: int, top: int, number: str) -> None:
        font = default_font(round(self._text * 1.1))
        inset, height = round(self._text * 0.6), round(self._text * 1.8)
        width = max(height, round(font.getlength(number) + self._text))
        _rounded(sheet, left + inset, top + inset, width, height, radius=self._text * 0.35, fill=_ACCENT)
        middle = (left + inset + width / 2, top + inset + height / 2)
        ImageDraw.Draw(sheet).text(middle, number, font=font, fill=_DARK, anchor="mm")

    def _motion(self, sheet: Image.Image, draw: ImageDraw.ImageDraw, shot: Shot, left: int, top: int) -> None:
        """The camera's sign and its words on the left; how much moves, and for how long, on the right."""
        font = default_font(self._text)
        radius = self._text * 0.95
        middle = top + self._text * 0.65
        draw_sign(sheet, shot.camera, centre=(left + radius, middle), radius=radius, fill=_ACCENT)
        draw.text((left + 2.5 * radius, middle), shot.move_in_words, font=font, fill=_ACCENT, anchor="lm")
        right = left + self.grid.cell
        draw.text((right, middle), f"{shot.duration_seconds:g} s", font=font, fill=INK, anchor="rm")
        length, thick = round(self._text * 3.2), 6
        start = round(right - font.getlength("00.00 s") - self._text * 0.5 - length)
        for share, fill in ((1.0, _TRACK), (shot.energy, _ACCENT)):
            if share > 0:
                wide = max(thick, round(length * share))
                _rounded(sheet, start, round(middle - thick / 2), wide, thick, radius=thick / 2, fill=fill)
        small = default_font(round(self._text * 0.85))
        draw.text((start - self._text * 0.5, middle), "energy", font=small, fill=FAINT, anchor="rm")

    def _ending(self, draw: ImageDraw.ImageDraw, shot: Shot, left: int, top: int, *, last: bool) -> None:
        font = default_font(round(self._text * 0.85))
        begins = "goes on from the shot before" if shot.continue_from_previous else ""
        draw.text((left, top), begins, font=font, fill=FAINT)
        ends = "" if last else f"then {shot.transition.in_words}"
        draw.text((left + self.grid.cell, top), ends, font=font, fill=FAINT, anchor="ra")


def _rounded(
    sheet: Image.Image,
    left: int,
    top: int,
    width: int,
    height: int,
    *,
    radius: float,
    fill: tuple[int, int, int],
) -> None:
    """A rectangle with round corners, drawn larger and scaled down: Pillow's own are jagged."""
    scale = 4
    mask = Image.new("L", (width * scale, height * scale))
    box = (0, 0, width * scale - 1, height * scale - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=radius * scale, fill=255)
    sheet.paste(fill, (left, top), mask.resize((width, height), Image.Resampling.LANCZOS))


class _HeadLine(NamedTuple):
    text: str
    font: Font
    size: int
    ink: tuple[int, int, int]


def _head(storyboard: Storyboard, summary: str, *, size: int, room: int) -> list[_HeadLine]:
    """The title, the length, and what is decided once for the film."""
    title = clean_prompt(storyboard.title or storyboard.prompt)
    bible = clean_prompt(
        " / ".join(filter(None, (storyboard.style, storyboard.characters, storyboard.setting)))
    )
    head = []
    for text, large, most, ink in (
        (title, round(size * 1.7), 2, INK),
        (summary, size, 1, _ACCENT),
        (bible, size, 2, FAINT),
    ):
        lines, font = wrapped(text, size=large, room=room, most=most)
        head += [_HeadLine(line, font, large, ink) for line in lines]
    return head


def _even(pixels: float) -> int:
    return max(64, round(pixels / 2) * 2)
