"""The lower third: shot number, the shot's words, an arrow for the camera's move.

Letters come from Pillow's built-in face and, for what that lacks, from the machine's own fonts. Scripts
that run from right to left or join their letters need Pillow's Raqm layout. What cannot be written is
said in the frame ("no font for …") and in the log: empty boxes are never drawn.
"""

from __future__ import annotations

import logging
import math
import sys
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

from localvid.pipelines.animatic.brush import Point
from localvid.schemas import Camera, Caption

_LOG = logging.getLogger(__name__)

_PAPER = (250, 248, 240)
_ACCENT = (255, 196, 84)
_MAX_FONT_FILES = 400

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def draw_caption(overlay: Image.Image, caption: Caption, description: str, camera: Camera) -> Image.Image:
    """A copy of the overlay (RGBa, the frame's size) with the caption on it."""
    width, height = overlay.size
    layer = Image.new("RGBA", overlay.size)
    size = max(8, round(min(width * 0.026 + 3, height * 0.045, 64)))
    margin = max(2, round(size * 0.9))
    number = f"{caption.shot_number}/{caption.num_shots}"
    number_font = _default_font(round(size * 1.15))
    badge = round(number_font.getlength(number) + size * 1.1)
    arrow = round(size * 2.3)
    room = width - 2 * margin - badge - arrow - 2 * round(size * 0.8)
    lines, font = _wrapped(description, size=size, room=room, most=3 if height >= 160 else 1)
    step = round(size * 1.34)
    text_height = max(step * max(1, len(lines)), round(size * 1.9))
    top = height - margin - text_height
    _shade(layer, from_row=max(0, top - round(size * 2.2)))
    draw = ImageDraw.Draw(layer)
    draw.rounded_rectangle(
        (margin, top, margin + badge, top + round(size * 1.9)),
        radius=max(1, round(size * 0.3)),
        fill=(*_ACCENT, 255),
    )
    draw.text(
        (margin + badge / 2, top + size * 0.95), number, font=number_font, fill=(28, 24, 20), anchor="mm"
    )
    if room >= size * 5:
        x = margin + badge + round(size * 0.8)
        first = top + max(0, round((size * 1.9 - step * len(lines)) / 2))
        for index, line in enumerate(lines):
            _write(draw, (x, first + index * step), line, font, room=room)
    _draw_arrow(layer, camera, centre=(width - margin - arrow / 2, top + size * 0.95), radius=arrow / 2)
    result = overlay.copy()
    premultiplied = layer.convert("RGBa")
    result.paste(premultiplied, (0, 0), premultiplied)
    return result


def _shade(layer: Image.Image, *, from_row: int) -> None:
    """A dark ground for the letters, rising softly."""
    column = Image.new("L", (1, layer.height))
    span = max(1, layer.height - from_row)
    for row in range(from_row, layer.height):
        share = min(1.0, (row - from_row) / (span * 0.55))
        column.putpixel((0, row), round(190 * share * share * (3 - 2 * share)))
    layer.putalpha(column.resize(layer.size))


def _write(draw: ImageDraw.ImageDraw, at: Point, line: str, font: Font, *, room: float) -> None:
    right_to_left = _runs_left(line)
    place = (at[0] + room, at[1]) if right_to_left else at
    draw.text(place, line, font=font, fill=(*_PAPER, 255), anchor="ra" if right_to_left else "la")


def _wrapped(text: str, *, size: int, room: float, most: int) -> tuple[list[str], Font]:
    """The text in at most `most` lines no wider than `room`, cut with an ellipsis, and a font that has it."""
    font, missing = _font_for(text, size)
    if missing:
        names = ", ".join(sorted(missing)[:2])
        _LOG.warning(
            "no font on this machine for the caption's script (%s); install one, for example Noto Sans", names
        )
        font = _default_font(size)
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
        last = lines[most - 1]
        while last and font.getlength(last + "…") > room:
            last = last[:-1]
        lines = [*lines[: most - 1], last.rstrip(" ,.;:") + "…"]
    return [_clipped(line, font, room) for line in lines if line], font


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


# --- fonts ---------------------------------------------------------------------------------------


@cache
def _default_font(size: int) -> Font:
    return ImageFont.load_default(size)


def _font_for(text: str, size: int) -> tuple[Font, set[str]]:
    """(a font that has every letter of the text, or the best there is; names of the scripts it lacks)."""
    chars = frozenset(
        char for char in text if not char.isspace() and unicodedata.category(char) not in ("Cf", "Mn")
    )
    default = _default_font(size)
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


def _runs_left(text: str) -> bool:
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


# --- the camera's arrow --------------------------------------------------------------------------


def _draw_arrow(layer: Image.Image, camera: Camera, *, centre: Point, radius: float) -> None:
    """A sign for the move: turning moves have a bent shaft, travelling ones a straight one."""
    scale = 4
    side = math.ceil(radius * 2) + 2
    mask = Image.new("L", (side * scale, side * scale))
    draw = ImageDraw.Draw(mask)
    middle, reach = side * scale / 2, radius * scale * 0.86
    wide = max(2.0, reach * 0.2)

    def shaft(points: list[Point]) -> None:
        pixels = [(middle + x * reach, middle + y * reach) for x, y in points]
        draw.line(pixels, fill=255, width=round(wide), joint="curve")
        for x, y in pixels:
            draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=255)

    def head(tip: Point, turn: float, size: float = 0.5) -> None:
        corners = [
            (tip[0] - size * math.cos(turn + side_), tip[1] - size * math.sin(turn + side_))
            for side_ in (-0.6, 0.6)
        ]
        draw.polygon([(middle + x * reach, middle + y * reach) for x, y in (tip, *corners)], fill=255)

    for points in _shafts(camera):
        shaft(points)
    for tip, turn in _heads(camera):
        head(tip, turn)
    sign = mask.resize((side, side), Image.Resampling.LANCZOS)
    layer.paste((*_PAPER, 255), (round(centre[0] - side / 2), round(centre[1] - side / 2)), sign)


_QUARTERS = {"right": 0.0, "down": math.pi / 2, "left": math.pi, "up": -math.pi / 2}


def _rotated(points: list[Point], turn: float) -> list[Point]:
    cos, sin = math.cos(turn), math.sin(turn)
    return [(x * cos - y * sin, x * sin + y * cos) for x, y in points]


def _mirrored(points: list[Point], mirrored: bool) -> list[Point]:
    return [(-x, y) for x, y in points] if mirrored else points


def _bow(flip: float) -> list[Point]:
    return [
        (math.sin(a) * 0.8, flip * (0.45 - 0.75 * math.cos(a))) for a in (-1.1 + 0.2 * i for i in range(11))
    ]


def _shafts(camera: Camera) -> list[list[Point]]:
    kind, _, way = camera.value.partition("_")
    turn = _QUARTERS.get(way, 0.0)
    match kind:
        case "static":
            return [[(-0.55, -0.4), (0.55, -0.4), (0.55, 0.4), (-0.55, 0.4), (-0.55, -0.4)]]
        case "pan" | "tilt":
            return [_mirrored(_rotated(_bow(1.0), 0.0 if way == "left" else turn), way == "left")]
        case "truck" | "pedestal":
            return [_rotated([(-0.8, 0.0), (0.5, 0.0)], turn)]
        case "orbit":
            flip = -1.0 if way == "left" else 1.0
            return [
                [
                    (flip * math.cos(a) * 0.75, math.sin(a) * 0.45)
                    for a in (-2.4 + 0.26 * i for i in range(16))
                ]
            ]
    arrows = [[(x * 0.45, y * 0.45), (x * 0.7, y * 0.7)] for x, y in _CORNERS]
    if kind == "zoom":
        return arrows
    small = [(x * 0.2, y * 0.14) for x, y in (*_CORNERS, _CORNERS[0])]  # what the camera travels to
    return [*arrows, small]


_CORNERS: tuple[Point, ...] = ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


def _heads(camera: Camera) -> list[tuple[Point, float]]:
    kind, _, way = camera.value.partition("_")
    turn = _QUARTERS.get(way, 0.0)
    match kind:
        case "static":
            return []
        case "pan" | "tilt":
            if way == "left":
                return [((-0.98, 0.4), math.pi - 0.95)]
            return [(_rotated([(0.98, 0.4)], turn)[0], turn + 0.95)]
        case "truck" | "pedestal":
            return [(_rotated([(1.0, 0.0)], turn)[0], turn)]
        case "orbit":
            flip = -1.0 if way == "left" else 1.0
            end = -2.4 + 0.26 * 15
            return [
                (
                    (flip * (math.cos(end) * 0.75 - 0.2), math.sin(end) * 0.45 + 0.12),
                    math.pi * 0.92 if flip > 0 else 0.25,
                )
            ]
    # Into the picture the heads point to its middle, out of it to its corners.
    if way == "in":
        return [((x * 0.36, y * 0.36), math.atan2(-y, -x)) for x, y in _CORNERS]
    return [((x * 0.86, y * 0.86), math.atan2(y, x)) for x, y in _CORNERS]
