"""Reading storyboard files, and the storyboard that a film carries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar

from localvid.errors import InvalidStoryboardError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from localvid.schemas import FilmOptions, Storyboard

    _Model = TypeVar("_Model", bound=BaseModel)

STANDARD_INPUT = Path("-")

_MAX_BYTES = 2**20
_FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".gif")
_HINT = "docs/storyboard.md says what a storyboard file holds"


class FoundStoryboard(NamedTuple):
    """A storyboard with its images' paths made absolute, and what the film that carried it was made with."""

    storyboard: Storyboard
    prompt: str
    recorded: FilmOptions | None


def read_storyboard(source: Path) -> FoundStoryboard:
    """Read a storyboard file, the standard input for `-`, or the record of a film.

    Images are looked for beside the file that names them. Raises InvalidStoryboardError for what is
    missing, too large, no UTF-8, no JSON or no storyboard, InvalidVideoError for a film that is none.
    """
    from localvid.schemas import Storyboard

    if source.suffix.lower() in _FILM_SUFFIXES:
        return _of_film(source)
    storyboard = _validated(Storyboard, _read(source), source)
    return FoundStoryboard(_beside(storyboard, source.parent), storyboard.prompt, None)


def _of_film(film: Path) -> FoundStoryboard:
    from localvid.media.metadata import read_record
    from localvid.schemas import FilmRecord

    text = read_record(film)
    if text is None:
        raise InvalidStoryboardError(
            f"{film} does not carry how it was made",
            hint="render a storyboard file; films made with --no-metadata and by other programs carry none",
        )
    record = _validated(FilmRecord, text.encode(), film)
    image = record.options.reference_image
    options = record.options.model_copy(
        update={"reference_image": _absolute(image, film.parent) if image else None}
    )
    return FoundStoryboard(_beside(record.storyboard, film.parent), record.prompt, options)


def _read(source: Path) -> bytes:
    try:
        if source == STANDARD_INPUT:
            content = _capped(sys.stdin.buffer)
        else:
            with source.open("rb") as file:
                content = _capped(file)
    except OSError as error:
        raise InvalidStoryboardError(
            f"{source} cannot be read: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    if len(content) > _MAX_BYTES:
        raise InvalidStoryboardError(
            f"{source} is larger than a storyboard can be ({_MAX_BYTES // 2**20} MiB)", hint=_HINT
        )
    return content


def _capped(file: BinaryIO) -> bytes:
    """All bytes, or one more than are allowed: nothing endless is read."""
    return file.read(_MAX_BYTES + 1)


def _validated(kind: type[_Model], content: bytes, source: Path) -> _Model:
    from pydantic import ValidationError

    from localvid.schemas import explain

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidStoryboardError(
            f"{source} is not UTF-8 text (byte {error.start})", hint="save it as JSON in UTF-8"
        ) from error
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            reason = error.errors()[0]["ctx"]["error"]
            raise InvalidStoryboardError(f"{source} is not JSON: {reason}", hint=_HINT) from error
        raise InvalidStoryboardError(f"{source}: {explain(error)}", hint=_HINT) from error


def _beside(storyboard: Storyboard, folder: Path) -> Storyboard:
    """The storyboard with relative image paths taken from the folder of the file that names them."""
    shots = tuple(
        shot.model_copy(update={"reference_image": _absolute(shot.reference_image, folder)})
        if shot.reference_image is not None
        else shot
        for shot in storyboard.shots
    )
    return storyboard.model_copy(update={"shots": shots})


def _absolute(image: Path, folder: Path) -> Path:
    return (folder / image.expanduser()).absolute()
