"""A batch file → its jobs and its mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import BinaryIO

from localvid.batch_file import csv_rows, json_rows, yaml_rows
from localvid.batch_file.checking import Checker
from localvid.batch_file.forms import Form, form_of
from localvid.batch_file.found import Found, TooManyRowsError
from localvid.batch_file.names import DEFAULT_PATTERN, NamePattern, OutputFolder
from localvid.batch_file.rows import BatchFile
from localvid.errors import InvalidRequestError
from localvid.schemas import FilmOptions

MAX_BYTES = 64 * 2**20
STANDARD_INPUT = "stdin"

_READERS = {
    Form.JSONL: json_rows.read_lines,
    Form.JSON: json_rows.read_document,
    Form.YAML: yaml_rows.read_document,
    Form.CSV: csv_rows.read_table,
}


def read_batch(
    source: Path | None,
    *,
    defaults: FilmOptions,
    stdin: BinaryIO | None = None,
    output_dir: Path | None = None,
    name_pattern: str = DEFAULT_PATTERN,
    today: date | None = None,
) -> BatchFile:
    """Read a batch file, or the bytes of `stdin` where `source` is None, and check every row of it.

    `defaults` hold for what neither a row nor the file's own defaults say; their `output` is not used. Films
    whose rows name no output are named by `name_pattern` in `output_dir`; without a folder they have no
    output. `today` is what `{date}` in the pattern means; None: this day.

    Raises InvalidRequestError for a file that is missing or too large, and for a pattern that is none.
    What is wrong inside the file is a mistake, with its line; none hides another.
    """
    pattern = NamePattern(name_pattern)
    content = _content(source, stdin)
    found = Found(str(source or STANDARD_INPUT))
    text = _text(content, found)
    if text is not None:
        _read_rows(text, source.suffix if source else "", found)
    checker = Checker(
        found,
        folder=source.parent if source else Path(),
        defaults=defaults,
        pattern=pattern,
        outputs=OutputFolder(output_dir),
        today=today or date.today(),
    )
    jobs = checker.jobs()
    mistakes = sorted(found.mistakes, key=lambda mistake: mistake.line)
    return BatchFile(jobs=jobs, mistakes=tuple(mistakes))


def _read_rows(text: str, suffix: str, found: Found) -> None:
    try:
        _READERS[form_of(suffix, text)](text, found)
    except TooManyRowsError:
        return
    if not found.rows and not found.mistakes:
        found.mistake(1, "it holds no rows")


def _content(source: Path | None, stdin: BinaryIO | None) -> bytes:
    """All bytes; nothing endless is read. Raises InvalidRequestError."""
    name = source or "the standard input"
    try:
        if source is None:
            if stdin is None:
                raise TypeError("a source or a standard input is needed")
            content = stdin.read(MAX_BYTES + 1)
        else:
            with source.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InvalidRequestError(
            f"{name} cannot be read: {getattr(error, 'strerror', None) or error}",
            hint="check the path and its permissions",
        ) from error
    if len(content) > MAX_BYTES:
        raise InvalidRequestError(
            f"{name} is larger than a batch file can be ({MAX_BYTES // 2**20} MiB)",
            hint="part it into several; docs/batch.md says what a batch file holds",
        )
    return content


def _text(content: bytes, found: Found) -> str | None:
    """The text without a byte order mark; None, with the mistake noted, for what is none."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The byte order mark is not counted in the place.
        line = error.object[: error.start].count(b"\n") + 1
        found.mistake(line, "it is not UTF-8 text: save the file as UTF-8")
        return None
    if "\0" in text:
        found.mistake(text.count("\n", 0, text.index("\0")) + 1, "a null character stands in it")
        return None
    return text
