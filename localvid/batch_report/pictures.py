"""Small pictures of a film for the report: its frames, or what is made of it so far."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from localvid.batch_report.document import FilmReport
from localvid.errors import LocalvidError
from localvid.media.decode import read_frame
from localvid.media.images import read_image
from localvid.store import Store

_STILLS = 4
_SIZES = ((240, 76), (240, 50), (240, 25), (120, 25))
"""Longest side in pixels and JPEG quality, tried in this order until the picture is small enough."""
MOST_BYTES = 10 * 1024
"""Of one picture, before it is written as text."""


class Still(NamedTuple):
    """A picture within the page."""

    uri: str
    """`data:image/jpeg;base64,…`"""
    width: int
    height: int
    said: str
    """What it shows, in words."""


def stills_of(film: FilmReport, store: Store) -> Iterator[Still]:
    """Four pictures at most, in the order of the film; none where there is nothing to show, or what there is
    cannot be read."""
    found = _of_film(film) if film.video else _of_steps(film, store)
    try:
        for picture, said in found:
            yield _small(picture, said)
    except (LocalvidError, OSError):  # it was moved or cut while the report was made
        return


def _of_film(film: FilmReport) -> Iterator[tuple[Image.Image, str]]:
    video = film.video
    assert video is not None
    count = min(_STILLS, video.num_frames)
    for place in range(count):
        number = (2 * place + 1) * video.num_frames // (2 * count)
        said = f"Frame of film {film.number} at {number / video.fps:.1f} s"
        yield Image.fromarray(read_frame(video.path, number)), said


def _of_steps(film: FilmReport, store: Store) -> Iterator[tuple[Image.Image, str]]:
    """The clips that are made, each by its first frame; where there is none, the keyframes."""
    made = [step for step in store.steps_of(film.job_id) if step.done]
    for kind in ("clip", "keyframe"):
        paths = [path for step in made if step.kind == kind and (path := store.find(step.key))]
        for number, path in enumerate(paths[:_STILLS], start=1):
            yield _picture(path, kind), f"{kind.capitalize()} {number} that was made for film {film.number}"
        if paths:
            return


def _picture(path: Path, kind: str) -> Image.Image:
    return read_image(path) if kind == "keyframe" else Image.fromarray(read_frame(path, 0))


def _small(picture: Image.Image, said: str) -> Still:
    for side, quality in _SIZES:
        small = picture.convert("RGB")
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        content = io.BytesIO()
        small.save(content, format="JPEG", quality=quality, optimize=True)
        if content.tell() <= MOST_BYTES:
            break
    text = base64.b64encode(content.getvalue()).decode("ascii")
    return Still(f"data:image/jpeg;base64,{text}", *small.size, said)
