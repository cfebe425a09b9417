"""The lower third: shot number, the shot's words, a sign for the camera's move."""

from __future__ import annotations

from PIL import Image, ImageDraw

from localvid.media.camera_signs import draw_sign
from localvid.media.lettering import default_font, wrapped, write_line
from localvid.schemas import Camera, Caption

_PAPER = (250, 248, 240)
_ACCENT = (255, 196, 84)


def draw_caption(overlay: Image.Image, caption: Caption, description: str, camera: Camera) -> Image.Image:
    """A copy of the overlay (RGBa, the frame's size) with the caption on it."""
    width, height = overlay.size
    layer = Image.new("RGBA", overlay.size)
    size = max(8, round(min(width * 0.026 + 3, height * 0.045, 64)))
    margin = max(2, round(size * 0.9))
    number = f"{caption.shot_number}/{caption.num_shots}"
    number_font = default_font(round(size * 1.15))
    badge = round(number_font.getlength(number) + size * 1.1)
    arrow = round(size * 2.3)
    room = width - 2 * margin - badge - arrow - 2 * round(size * 0.8)
    lines, font = wrapped(description, size=size, room=room, most=3 if height >= 160 else 1)
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
            write_line(draw, (x, first + index * step), line, font, room=room, fill=(*_PAPER, 255))
    centre = (width - margin - arrow / 2, top + size * 0.95)
    draw_sign(layer, camera, centre=centre, radius=arrow / 2, fill=(*_PAPER, 255))
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
