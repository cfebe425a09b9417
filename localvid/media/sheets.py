"""Pictures side by side on one sheet, each with what is said below it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from localvid.errors import InvalidRequestError
from localvid.files import writing

BACKGROUND = (18, 18, 22)
INK = (214, 214, 220)
FAINT = (132, 132, 142)

_SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}


class Grid(NamedTuple):
    """Where each picture stands; all lengths in pixels."""

    columns: int
    cell: int
    """Width of a picture, and of what is said below it."""
    picture: int
    """Height of a picture."""
    labels: tuple[int, ...]
    """Height of what is said below each line of pictures."""
    head: int
    """Height of what is said above all."""
    gap: int

    @property
    def width(self) -> int:
        return self.columns * (self.cell + self.gap) + self.gap

    def blank(self, *, width: int | None = None) -> Image.Image:
        """The empty sheet; wider than its pictures need if `width` says so."""
        return Image.new("RGB", (width or self.width, self._top(len(self.labels)) + self.gap), BACKGROUND)

    def place(self, index: int) -> tuple[int, int]:
        """The upper left corner of a picture."""
        line, column = divmod(index, self.columns)
        return self.gap + column * (self.cell + self.gap), self._top(line)

    def _top(self, line: int) -> int:
        return self.head + line * (self.picture + self.gap) + sum(self.labels[:line])


def save_picture(image: Image.Image, output: Path, *, overwrite: bool) -> None:
    """Write it whole, as the suffix says. Raises InvalidRequestError, WorkspaceError."""
    kind = _SUFFIXES.get(output.suffix.lower())
    if kind is None:
        raise InvalidRequestError(
            f"{output.name} has no picture's extension", hint=f"use one of {', '.join(_SUFFIXES)}"
        )
    with writing(output, overwrite=overwrite) as partial:
        image.save(partial, format=kind, **({"quality": 92} if kind != "PNG" else {}))
