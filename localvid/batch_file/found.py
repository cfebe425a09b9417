"""What a form of batch file is read into: rows as they stand there, and mistakes. The forms know no films."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from localvid.batch_file.rows import Mistake
from localvid.schemas import Place, clean_prompt

MAX_ROWS = 100_000
MOST_OF_A_ROW = 30
"""Mistakes of one row that are listed; the rest are counted."""
_MOST_OF_A_SOURCE = 200
_MOST_OF_A_FIELD = 80


class RawRow(NamedTuple):
    """The fields of a row, or the file's own defaults, before anyone has asked what they mean."""

    line: int
    number: int
    """Among the rows of the file; 0 for the defaults."""
    values: dict[str, object]
    line_of: Callable[[Place], int]
    """The line of a field, or of a place within it."""
    is_text: bool
    """Whether every value is the text of a cell: a number is to be read from it then."""


class TooManyRowsError(Exception):
    """There are more rows than are read; the mistake is noted, and reading ends."""


class Found:
    """Collects what a file holds, in the order of its lines."""

    def __init__(self, source: str) -> None:
        self.rows: list[RawRow] = []
        self.defaults: RawRow | None = None
        self.columns: dict[str, int] = {}
        """Of a table: name → the line that names it."""
        self.mistakes: list[Mistake] = []
        self._source = clean_prompt(source)[:_MOST_OF_A_SOURCE]
        self._number = 0

    def next_row(self, line: int) -> int:
        """The number of the row that begins there. Raises TooManyRowsError."""
        if self._number == MAX_ROWS:
            self.mistake(line, f"a batch has at most {MAX_ROWS:,} rows; this and what follows is not read")
            raise TooManyRowsError
        self._number += 1
        return self._number

    def row(
        self, line: int, value: object, line_of: Callable[[Place], int], *, is_text: bool = False
    ) -> None:
        """Note a row, or that it is none. Raises TooManyRowsError."""
        number = self.next_row(line)
        if isinstance(value, dict):
            self.rows.append(RawRow(line, number, value, line_of, is_text))
        else:
            self.mistake(
                line,
                f'a row has fields, such as {{"prompt": "A forest at dawn"}}, and this is {_kind(value)}',
            )

    def default_row(self, line: int, value: object, line_of: Callable[[Place], int]) -> None:
        """Note the file's own defaults, or that they are none."""
        if isinstance(value, dict):
            self.defaults = RawRow(line, 0, value, line_of, is_text=False)
        elif value is not None:
            self.mistake(
                line, f"they are fields, such as fps: 12, and this is {_kind(value)}", field="defaults"
            )

    def mistake(self, line: int, message: str, *, field: str = "", column: int | None = None) -> None:
        said = clean_prompt(field)[:_MOST_OF_A_FIELD]
        self.mistakes.append(
            Mistake(source=self._source, line=line, column=column, field=said, message=message)
        )


def _kind(value: object) -> str:
    """What a value is, as its author would say."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, (int, float)):
        return "a number"
    return "a text" if isinstance(value, str) else "a list"
