"""Storyboard files as the command line names them: read, also out of films, and written."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from localvid.errors import InvalidRequestError, InvalidStoryboardError

if TYPE_CHECKING:
    from localvid.schemas import FilmOptions, Storyboard

STANDARD_INPUT = Path("-")

_MAX_BYTES = 2**20
_FILE_SUFFIXES = (".json", ".yaml", ".yml")
_FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".gif")
_HINT = "docs/storyboard.md says what a storyboard file holds"


class FoundStoryboard(NamedTuple):
    """A storyboard with its images' paths made absolute, and what the film that carried it was made with."""

    storyboard: Storyboard
    prompt: str
    recorded: FilmOptions | None


def names_storyboard(argument: str) -> bool:
    """Whether an argument that may be a prompt names a file: `-`, a known suffix, or a file that is there."""
    path = Path(argument)
    return argument == "-" or _is_named_so(path) or _is_file(path)


def is_storyboard_there(argument: str) -> bool:
    """Whether an argument names a file that is there, and is named like a storyboard or a film."""
    path = Path(argument)
    return _is_named_so(path) and _is_file(path)


def _is_named_so(path: Path) -> bool:
    return path.suffix.lower() in (*_FILE_SUFFIXES, *_FILM_SUFFIXES)


def read_storyboard(source: Path) -> FoundStoryboard:
    """Read a storyboard file, the standard input for `-`, or the record of a film.

    Images are looked for beside the file that names them. Raises InvalidStoryboardError for what is
    missing, too large, no UTF-8, neither JSON nor YAML or no storyboard, InvalidVideoError for a film that
    is none.
    """
    if is_film(source):
        return _of_film(source)
    storyboard = storyboard_in(read_text(source), source)
    return FoundStoryboard(storyboard, storyboard.prompt, None)


def is_film(source: Path) -> bool:
    """Whether the path is named like a film."""
    return source.suffix.lower() in _FILM_SUFFIXES


def storyboard_in(text: str, source: Path) -> Storyboard:
    """The storyboard that the text of a file says, with its images' paths made absolute. Raises
    InvalidStoryboardError."""
    from localvid.storyboard_file import form_of, parse, with_images_beside

    return with_images_beside(parse(text, form_of(source.suffix, text), name=str(source)), source.parent)


def read_text(source: Path) -> str:
    """The text of a storyboard file as it is, line ends and all. Raises InvalidStoryboardError."""
    content = _read(source)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidStoryboardError(
            f"{source} is not UTF-8 text (byte {error.start})", hint="save it as JSON or YAML in UTF-8"
        ) from error


def check_storyboard_output(file: Path) -> None:
    """Find out before any work whether a storyboard can be written there: never over a film or a picture.

    Raises InvalidRequestError, WorkspaceError.
    """
    from localvid.files import check_output

    if file.suffix.lower() not in _FILE_SUFFIXES:
        raise InvalidRequestError(
            f"{file.name} has no extension of a storyboard", hint="name it .yaml or .json"
        )
    check_output(file)


def write_storyboard(storyboard: Storyboard, file: Path) -> None:
    """Write a new file, JSON or YAML by its suffix, that names its schema; one that is there is replaced.

    Raises WorkspaceError.
    """
    from localvid.storyboard_file import form_of, schema, written

    write_text(written(storyboard, form_of(file.suffix), name=file.name, schema=schema.reference(file)), file)


def write_schema(file: Path | None) -> None:
    """The JSON Schema of storyboard files, to a file or else to the standard output."""
    from localvid.files import check_output
    from localvid.storyboard_file import schema

    if file is None:
        sys.stdout.write(schema.text())
        return
    check_output(file)
    write_text(schema.text(), file)
    print(file)


def write_text(text: str, file: Path, *, instead_of: str | None = None) -> None:
    """Write it whole or not at all; a link is followed, and a file that is there keeps its permissions.

    Raises WorkspaceError, and InvalidRequestError where the file no longer says `instead_of`.
    """
    from localvid.files import writing

    real = file.resolve()
    real.parent.mkdir(parents=True, exist_ok=True)
    with writing(real, overwrite=True) as partial:
        partial.write_bytes(text.encode())
        if real.exists():
            partial.chmod(real.stat().st_mode)
        if instead_of is not None and read_text(file) != instead_of:
            raise InvalidRequestError(
                f"{file} has changed since it was read; nothing was written", hint="run the edit again"
            )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a prompt that is too long for a name, or holds a null character
        return False


def _of_film(film: Path) -> FoundStoryboard:
    from pydantic import ValidationError

    from localvid.files import expanded
    from localvid.media.metadata import read_record
    from localvid.schemas import FilmRecord, explain
    from localvid.storyboard_file import with_images_beside

    text = read_record(film)
    if text is None:
        raise InvalidStoryboardError(
            f"{film} does not carry how it was made",
            hint="render a storyboard file; films made with --no-metadata and by other programs carry none",
        )
    try:
        record = FilmRecord.model_validate_json(text)
    except ValidationError as error:
        raise InvalidStoryboardError(
            f"{film} carries how it was made in a form that is not read here: {explain(error)}",
            hint="render a storyboard file; `localvid info` shows what the film is",
        ) from error
    image = record.options.reference_image
    options = record.options.model_copy(
        update={"reference_image": (film.parent / expanded(image)).absolute() if image else None}
    )
    storyboard = with_images_beside(record.storyboard, film.parent)
    return FoundStoryboard(storyboard, record.prompt, options)


def _read(source: Path) -> bytes:
    try:
        if source == STANDARD_INPUT:
            content = _capped(sys.stdin.buffer)
        else:
            with source.open("rb") as file:
                content = _capped(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidStoryboardError(
            f"{source} cannot be read: {reason}", hint="check the path and its permissions"
        ) from error
    if len(content) > _MAX_BYTES:
        raise InvalidStoryboardError(
            f"{source} is larger than a storyboard can be ({_MAX_BYTES // 2**20} MiB)", hint=_HINT
        )
    return content


def _capped(file: BinaryIO) -> bytes:
    """All bytes, or one more than are allowed: nothing endless is read."""
    return file.read(_MAX_BYTES + 1)
