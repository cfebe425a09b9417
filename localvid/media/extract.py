"""Pictures out of a film: one frame, a thumbnail, a contact sheet with time codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from localvid.errors import InvalidRequestError
from localvid.media.decode import read_frame
from localvid.media.probing import probe
from localvid.media.sheets import FAINT, INK, Grid, save_picture
from localvid.schemas import VideoInfo

_MAX_CELLS = 400
_MAX_WIDTH = 16_384


def extract_frame(
    path: Path,
    output: Path,
    *,
    index: int | None = None,
    seconds: float | None = None,
    overwrite: bool = False,
) -> None:
    """Write one frame at full size as PNG, JPEG or WEBP: number `index`, or the one shown at `seconds`.

    Give one of the two; a negative `index` counts from the end. Raises InvalidRequestError for a frame that
    does not exist or an extension that is not written, InvalidVideoError, WorkspaceError.
    """
    if (index is None) == (seconds is None):
        raise InvalidRequestError("which frame?", hint="give either an index or seconds")
    number = index if index is not None else _frame_at(probe(path), seconds or 0.0)
    save_picture(Image.fromarray(read_frame(path, number)), output, overwrite=overwrite)


def thumbnail(path: Path, output: Path, *, width: int = 320, overwrite: bool = False) -> None:
    """Write a small picture of the film: the frame a third into it, scaled to `width`.

    Raises as `extract_frame`.
    """
    info = probe(path)
    _check_width(width)
    save_picture(_scaled(_image(path, info.num_frames // 3), width), output, overwrite=overwrite)


def contact_sheet(
    path: Path,
    output: Path,
    *,
    columns: int = 4,
    rows: int = 3,
    width: int = 1280,
    overwrite: bool = False,
) -> None:
    """Write `columns` x `rows` frames, spread evenly over the film, each with its time code, as one picture
    of `width` pixels.

    A film with fewer frames than cells shows each frame once. Raises as `extract_frame`.
    """
    if columns < 1 or rows < 1 or columns * rows > _MAX_CELLS:
        raise InvalidRequestError(
            f"a sheet of {columns}x{rows}", hint=f"use 1 to {_MAX_CELLS} pictures in all"
        )
    _check_width(width)
    info = probe(path)
    numbers = _spread(info.num_frames, columns * rows)
    gap = max(2, width // 100)
    cell = (width - gap * (columns + 1)) // columns
    if cell < 16:
        raise InvalidRequestError(
            f"{columns} pictures side by side do not fit into {width} pixels", hint="use fewer columns"
        )
    save_picture(_drawn_sheet(path, info, numbers, columns, width, cell, gap), output, overwrite=overwrite)


def _drawn_sheet(
    path: Path, info: VideoInfo, numbers: list[int], columns: int, width: int, cell: int, gap: int
) -> Image.Image:
    text_size = max(9, cell // 18)
    font = ImageFont.load_default(text_size)
    label = text_size + gap
    picture = max(1, round(cell * info.height / info.width))
    lines = -(-len(numbers) // columns)
    grid = Grid(columns, cell, picture, labels=(label,) * lines, head=label + 2 * gap, gap=gap)
    sheet = grid.blank(width=width)
    draw = ImageDraw.Draw(sheet)
    summary = (
        f"{info.width}x{info.height}   {info.fps:g} fps   {info.num_frames} frames   "
        f"{_time_code(info.num_frames, info.fps)}"
    )
    draw.text((gap, gap + label // 4), summary, fill=INK, font=font)
    for place, number in enumerate(numbers):
        left, top = grid.place(place)
        scaled = _image(path, number).resize((cell, picture), Image.Resampling.LANCZOS)
        sheet.paste(scaled, (left, top))
        draw.text((left, top + picture + gap // 2), _time_code(number, info.fps), fill=INK, font=font)
        name = f"#{number}"
        offset = cell - draw.textlength(name, font=font)
        draw.text((left + offset, top + picture + gap // 2), name, fill=FAINT, font=font)
    return sheet


def _spread(num_frames: int, cells: int) -> list[int]:
    """Numbers of frames in the middle of `cells` equal parts of the film."""
    cells = min(cells, num_frames)
    return [(2 * cell + 1) * num_frames // (2 * cells) for cell in range(cells)]


def _time_code(frame: int, fps: float) -> str:
    """Minutes, seconds and hundredths at which a frame is shown."""
    hundredths = round(frame / fps * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _frame_at(info: VideoInfo, seconds: float) -> int:
    if not 0 <= seconds <= info.duration_seconds:
        raise InvalidRequestError(
            f"{info.path.name} has nothing at {seconds:g} s",
            hint=f"choose a time from 0 to {info.duration_seconds:.2f} s",
        )
    return min(info.num_frames - 1, int(seconds * info.fps + 1e-6))


def _image(path: Path, number: int) -> Image.Image:
    return Image.fromarray(np.asarray(read_frame(path, number)))


def _scaled(image: Image.Image, width: int) -> Image.Image:
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _check_width(width: int) -> None:
    if not 16 <= width <= _MAX_WIDTH:
        raise InvalidRequestError(f"a picture {width} pixels wide", hint=f"use 16 to {_MAX_WIDTH} pixels")
