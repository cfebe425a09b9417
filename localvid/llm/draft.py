"""What a model has written of a storyboard, shot by shot; rules write what is missing."""

from __future__ import annotations

from localvid.llm.plan import Bible, Cut
from localvid.schemas import Camera, Frozen


class Draft(Frozen):
    """One entry a shot in each list; None where the model gave nothing usable."""

    descriptions: tuple[str | None, ...]
    cameras: tuple[Camera | None, ...] | None = None
    energies: tuple[float | None, ...] | None = None
    cuts: tuple[Cut | None, ...] | None = None
    bible: Bible | None = None
    note: str = ""
    """What the user should know about how it came to be."""
