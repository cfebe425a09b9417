"""Words in pictures: fonts, lines no wider than there is room, and scripts that run from right to left.

Letters come from Pillow's built-in face and, for what that lacks, from the machine's own fonts. Scripts
that run from right to left or join their letters need Pillow's Raqm layout. What cannot be written is
said in the picture ("no font for …") and in the log: empty boxes are never drawn.
"""

from __future__ import annotations

import logging
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

_LOG = logging.getLogger(__name__)

_MAX_FONT_FILES = 400

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def write_line(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    line: str,
    font: Font,
    *,
    room: float,
    fill: tuple[int, ...],
) -> None:
    """A line that begins at `at`; one that runs to the left begins `room` pixels to the right of it."""
    right_to_left = runs_left(line)
    place = (at[0] + room, at[1]) if right_to_left else at
    draw.text(place, line, font=font, fill=fill, anchor="ra" if right_to_left else "la")


def wrapped(text: str, *, size: int, room: float, most: int) -> tuple[list[str], Font]:
    """The text in at most `most` lines no wider than `room`, cut with an ellipsis, and a font that has it."""
    font, missing = _font_for(text, size)
    if missing:
        names = ", ".join(sorted(missing)[:2])
        _LOG.warning(
            "no font on this machine for a text's script (%s); install one, for example Noto Sans", names
        )
        font = default_font(size)
        text = "".join(char if _covers(font, char) else " " for char in text)
        text = f"{' '.join(text.split())} [no font for {names}]".strip()
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if line and font.getlength((line + piece).rstrip()) > room:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    lines.append(line.rstrip())
    if len(lines) > most:
        last, ellipsis = lines[most - 1], _ellipsis_of(font)
        while last and font.getlength(last + ellipsis) > room:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip(" ,.;:") + ellipsis]
    return [_clipped(line, font, room) for line in lines if line], font


def _ellipsis_of(font: Font) -> str:
    """As the font can write it, which may have one script alone; empty where it has no dots at all."""
    ways = ("…", "...", "・・・")
    return next((way for way in ways if _covers(font, way[0])), "")


def _clipped(line: str, font: Font, room: float) -> str:
    """A single word that is wider than the room, cut."""
    while len(line) > 1 and font.getlength(line) > room:
        line = line[:-1]
    return line


def _pieces(text: str) -> Iterator[str]:
    """Where a line may break: after a space, and between characters of scripts that use none."""
    word = ""
    for char in text:
        if unicodedata.east_asian_width(char) in ("W", "F"):
            if word:
                yield word
            yield char
            word = ""
        else:
            word += char
            if char.isspace():
                yield word
                word = ""
    if word:
        yield word


@cache
def default_font(size: int) -> Font:
    return ImageFont.load_default(size)


def _font_for(text: str, size: int) -> tuple[Font, set[str]]:
    """(a font that has every letter of the text, or the best there is; names of the scripts it lacks)."""
    chars = frozenset(
        char for char in text if not char.isspace() and unicodedata.category(char) not in ("Cf", "Mn")
    )
    default = default_font(size)
    lacking = {char for char in chars if not _covers(default, char)}
    if not lacking and not _needs_shaping(text):
        return default, set()
    if _needs_shaping(text) and not features.check("raqm"):
        return default, {_script(char) for char in chars if _needs_shaping(char)}
    path = _system_font(frozenset(lacking), frozenset(chars))
    if path is None:
        return default, {_script(char) for char in lacking if char.isalpha()} or {"its signs"}
    return ImageFont.truetype(str(path), size), set()


def _script(char: str) -> str:
    """The first word of a character's Unicode name, which is its script: "Thai", "CJK"."""
    name = unicodedata.name(char, "unknown").split(" ")[0].split("-")[0]
    return name if len(name) <= 3 else name.capitalize()


def runs_left(text: str) -> bool:
    return next(
        (
            bidi in ("R", "AL")
            for char in text
            if (bidi := unicodedata.bidirectional(char)) in ("L", "R", "AL")
        ),
        False,
    )


def _needs_shaping(text: str) -> bool:
    """Letters that join, stack or run to the left: Hebrew, Arabic, the scripts of India and around it."""
    return any(
        "\u0590" <= char <= "\u08ff"
        or "\u0900" <= char <= "\u0dff"
        or "\u0e00" <= char <= "\u109f"
        or "\u1780" <= char <= "\u17ff"
        for char in text
    )


def _covers(font: Font, char: str) -> bool:
    """Whether the font has a glyph of its own for the character: not the one that it draws for none."""
    drawn, none = font.getmask(char), font.getmask("\uffff")
    return drawn.size != none.size or bytes(drawn) != bytes(none)


@cache
def _system_font(lacking: frozenset[str], chars: frozenset[str]) -> Path | None:
    """The first font of this machine that has all of `chars`."""
    for path in _font_files():
        try:
            font = ImageFont.truetype(str(path), 16)
            if all(_covers(font, char) for char in lacking) and all(_covers(font, char) for char in chars):
                return path
        except (OSError, ValueError):
            continue
    return None


@cache
def _font_files() -> tuple[Path, ...]:
    """Upright sans-serif faces first, and never more than a few hundred."""
    home = Path.home()
    folders = {
        "darwin": (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"),
        "win32": (Path("C:/Windows/Fonts"), home / "AppData/Local/Microsoft/Windows/Fonts"),
    }.get(
        sys.platform,
        (
            Path("/usr/share/fonts"),
            Path("/usr/local/share/fonts"),
            home / ".local/share/fonts",
            home / ".fonts",
        ),
    )
    found = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.suffix.lower() in (".ttf", ".otf", ".ttc")
    ]
    return tuple(sorted(found, key=_preference)[:_MAX_FONT_FILES])


def _preference(path: Path) -> tuple[int, str]:
    name = path.stem.lower()
    slanted = any(
        word in name for word in ("italic", "oblique", "mono", "condensed", "light", "thin", "black", "serif")
    )
    known = any(
        word in name
        for word in ("notosans", "noto sans", "dejavusans", "arial", "segoe", "roboto", "helvetica", "droid")
    )
    return (2 * slanted - known, name)
