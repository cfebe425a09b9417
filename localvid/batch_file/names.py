"""Names of films that a pattern makes, and paths that no row can lead out of a folder with.

What a row says gets into a name only as a slug: small ASCII letters, digits and dashes.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from string import Formatter

from localvid.errors import InvalidRequestError
from localvid.files import expanded
from localvid.schemas import clean_prompt

DEFAULT_PATTERN = "{number:04d}-{slug}.mp4"

FILM_SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".gif")
"""What a film can be written as. media knows how, and is not imported for its names."""

_NUMBERS = ("number", "line", "seed")
_WORDS = ("slug", "model", "date")
_NUMBER_SPEC = re.compile(r"(0[1-9])?d?")
_WORD_SPEC = re.compile(r"(\.[1-9][0-9]?)?")
_HINT = f"such as {DEFAULT_PATTERN}; its fields are {', '.join(_NUMBERS + _WORDS)}"

_MAX_SLUG = 60
_MAX_PATTERN = 200
_MAX_PART_BYTES = 255
"""Of a file's name, on the file systems in use."""
_UNNAMED = "film"
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
"""What a name cannot hold on Windows, or should not hold anywhere."""
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and halves of characters."""
_RESERVED = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]", re.IGNORECASE)
"""Devices of Windows, whatever suffix follows."""


def slug(text: str, *, max_characters: int = _MAX_SLUG) -> str:
    """The words of a text as part of a file's name: never empty, and never more than ASCII letters, digits
    and single dashes between them. Words of other scripts leave nothing, accents leave their letters."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower().replace("'", "")
    words = "-".join(re.findall(r"[a-z0-9]+", plain))
    if len(words) > max_characters:
        # At the end of a word, unless there is only one.
        words = words[: max_characters + 1].rpartition("-")[0] or words[:max_characters]
    return words or _UNNAMED


class NamePattern:
    """A pattern such as `{number:04d}-{slug}.mp4`, checked; folders may stand in it as they are.

    Raises InvalidRequestError for a field that there is not, for anything but a plain field (an attribute,
    an index, a conversion), and for a pattern that leads out of its folder or names no film.
    """

    def __init__(self, pattern: str) -> None:
        self.text = clean_prompt(pattern)[:_MAX_PATTERN]
        if len(pattern) > _MAX_PATTERN:
            raise self._refused(f"has more than {_MAX_PATTERN} characters")
        try:
            self._parts = list(Formatter().parse(pattern))
        except ValueError as error:
            raise self._refused(f"cannot be read: {error}") from error
        for _, field, spec, conversion in self._parts:
            if field is not None:
                self._check_field(field, spec or "", conversion)
        self._check_folders(pattern)
        self.fields = frozenset(field for _, field, _, _ in self._parts if field is not None)

    def name(self, values: Mapping[str, int | str]) -> str:
        """The name that the values make, as a relative path with `/` between its parts. Words among the
        values are made slugs here: there is no other way into a name."""
        made = []
        for literal, field, spec, _ in self._parts:
            made.append(literal)
            if field is not None:
                value = values[field]
                made.append(format(value if isinstance(value, int) else slug(value), spec or ""))
        parts = "".join(made).split("/")
        return "/".join(_unreserved(part) for part in parts)

    def _check_field(self, field: str, spec: str, conversion: str | None) -> None:
        if field not in _NUMBERS + _WORDS:
            raise self._refused(f"asks for {{{clean_prompt(field)[:40]}}}, which there is not")
        if conversion is not None:
            raise self._refused(f"has a conversion, !{clean_prompt(conversion)}, and takes none")
        if not (_NUMBER_SPEC if field in _NUMBERS else _WORD_SPEC).fullmatch(spec):
            known = "04d" if field in _NUMBERS else ".20"
            raise self._refused(
                f"has {{{field}:{clean_prompt(spec)[:40]}}}, and only such as {{{field}:{known}}} is read"
            )

    def _check_folders(self, pattern: str) -> None:
        """Of the pattern with every field filled in by what is harmless."""
        filled = "".join(literal + ("x" if field is not None else "") for literal, field, _, _ in self._parts)
        if _FORBIDDEN.search(filled) or why_no_word(filled):
            raise self._refused('holds one of < > : " | ? * \\ or what cannot be seen')
        for part in filled.split("/"):
            if not part:
                raise self._refused("begins with a slash, ends with one, or has two together")
            if part[0] in ".-~" or part[-1] in ". ":
                raise self._refused(f"has a part that begins or ends badly: {clean_prompt(part)[:40]}")
        if PurePosixPath(pattern).suffix.lower() not in FILM_SUFFIXES:
            raise self._refused(f"does not end in one of {', '.join(FILM_SUFFIXES)}")

    def _refused(self, reason: str) -> InvalidRequestError:
        return InvalidRequestError(f"the name pattern {self.text!r} {reason}", hint=_HINT)


class OutputFolder:
    """Where the films of a batch go. None: wherever each row says, taken from the current folder."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = None if folder is None else Path(os.path.normpath(expanded(folder).absolute()))
        self._real: dict[Path, Path] = {}

    def placed(self, name: Path) -> Path:
        """The absolute path of a film. Raises ValueError, with the reason, for what is no name of a film and
        for what lies outside the folder, also by way of a link that is there now."""
        if reason := why_no_word(str(name)):
            raise ValueError(reason)
        base = self.folder or Path.cwd()
        path = Path(os.path.normpath(base / expanded(name)))
        if path.suffix.lower() not in FILM_SUFFIXES:
            raise ValueError(f"a film ends in one of {', '.join(FILM_SUFFIXES)}")
        if any(len(part.encode()) > _MAX_PART_BYTES for part in path.parts):
            raise ValueError(f"a name has at most {_MAX_PART_BYTES} bytes")
        if self.folder is not None:
            inside = path.is_relative_to(self.folder)
            if not inside or not self._resolved(path.parent).is_relative_to(self._resolved(self.folder)):
                raise ValueError("it lies outside the folder for outputs")
        return path

    def key(self, path: Path) -> str:
        """The same for two paths of one file, on file systems too that know no case."""
        return unicodedata.normalize("NFC", str(self._resolved(path.parent) / path.name)).casefold()

    def _resolved(self, folder: Path) -> Path:
        if folder not in self._real:
            try:
                self._real[folder] = folder.resolve()
            except (OSError, RuntimeError) as error:  # a ring of links
                raise ValueError("its folder cannot be found") from error
        return self._real[folder]


def why_no_word(text: str) -> str:
    """Why a text is neither a name nor a path; empty where it can be one."""
    if not text.strip():
        return "it is empty"
    if _UNUSABLE.search(text):
        return "it holds a control character, or half of a character"
    return ""


def _unreserved(part: str) -> str:
    stem, dot, suffix = part.partition(".")
    return f"{stem}-{_UNNAMED}{dot}{suffix}" if _RESERVED.fullmatch(stem.strip()) else part
