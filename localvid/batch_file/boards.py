"""The storyboards of a batch: files that rows name, each read once, and those that rows hold themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from localvid.batch_file.names import why_no_word
from localvid.errors import InvalidStoryboardError
from localvid.files import expanded, open_file
from localvid.schemas import Place, Storyboard, clean_prompt, reasons
from localvid.storyboard_file import form_of, parse, with_images_beside

_MAX_BYTES = 2**20
_SUFFIXES = (".json", ".yaml", ".yml")
_SCHEMA_KEY = "$schema"


class BadFile(NamedTuple):
    """A storyboard file that cannot be used, and the rows that wait for it."""

    why: str
    lines: list[int]


class Boards:
    """Storyboard files as rows name them, taken from the folder of the batch file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, Storyboard | BadFile] = {}

    def read(self, name: str, line: int) -> tuple[Path, Storyboard | None]:
        """The file's absolute path and its storyboard; None for one that is bad, which `bad` will tell of.

        Raises ValueError, with the reason, for what cannot be the name of one.
        """
        if reason := why_no_word(name):
            raise ValueError(reason)
        path = (self._folder / expanded(Path(name))).absolute()
        if path.suffix.lower() not in _SUFFIXES:
            raise ValueError(f"a storyboard file ends in one of {', '.join(_SUFFIXES)}")
        if path not in self._read:
            try:
                self._read[path] = _of_file(path, clean_prompt(name))
            except InvalidStoryboardError as error:
                self._read[path] = BadFile(error.message, [])
        found = self._read[path]
        if isinstance(found, BadFile):
            found.lines.append(line)
            return path, None
        return path, found

    def is_one(self, prompt: str) -> bool:
        """Whether a prompt names a storyboard file that is there: whoever gives one took the wrong field."""
        if not prompt.lower().endswith(_SUFFIXES):
            return False
        try:
            return (self._folder / prompt).is_file()
        except OSError:  # too long for a name
            return False

    def bad(self) -> list[BadFile]:
        """Every file that could not be used, with the lines of the rows that name it."""
        return [found for found in self._read.values() if isinstance(found, BadFile)]


def of_object(value: dict[str, object], folder: Path) -> Storyboard | list[tuple[Place, str]]:
    """The storyboard that a row holds itself, or all that is wrong with it and where in it."""
    data = {key: part for key, part in value.items() if key != _SCHEMA_KEY}
    try:
        # By way of JSON, as storyboard files are read.
        return with_images_beside(Storyboard.model_validate_json(json.dumps(data), strict=True), folder)
    except ValidationError as error:
        if error.errors(include_url=False)[0]["type"] == "json_invalid":
            return [((), "it holds half of a character, or is nested too deep")]
        return reasons(error)
    except RecursionError:
        return [((), "it is nested too deep")]


def _of_file(path: Path, name: str) -> Storyboard:
    try:
        with open_file(path) as file:
            content = file.read(_MAX_BYTES + 1)
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidStoryboardError(f"{name} is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise InvalidStoryboardError(f"{name} cannot be read: {error.strerror or error}") from error
    if len(content) > _MAX_BYTES:
        raise InvalidStoryboardError(f"{name} is larger than a storyboard can be ({_MAX_BYTES // 2**20} MiB)")
    return with_images_beside(parse(text, form_of(path.suffix), name=name), path.parent)
