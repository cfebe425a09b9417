"""CSV → rows with their lines: a row of column names, commas, and quotes as RFC 4180 has them."""

from __future__ import annotations

import csv
import io

from localvid.batch_file.forms import column_name
from localvid.batch_file.found import Found
from localvid.schemas import Place

_MOST_COLUMNS = 200


def read_table(text: str, found: Found) -> None:
    """Each line below the names is a row; a line feed may stand within quotes. Empty cells were not given,
    and rows of nothing but empty cells are skipped."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    names: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if names is not None:
                found.next_row(line)
            if not _goes_on(error):
                found.mistake(line, f"its quotes open and do not close, or a cell is too long ({error})")
                return
            found.mistake(line, f"not CSV: {error}; quotes within quotes are doubled")
            if names is None:
                return
            continue
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if names is None:
            names = [column_name(cell) for cell in cells]
            if not _are_names(names, line, found):
                return
            found.columns = {name: line for name in names if name}
        else:
            _row(names, cells, line, found)


def _goes_on(error: csv.Error) -> bool:
    """Whether only a line is spoilt, and not where all that follows begins and ends."""
    return "unexpected end" not in str(error) and "limit" not in str(error)


def _are_names(names: list[str], line: int, found: Found) -> bool:
    if len(names) == 1 and (mark := next((mark for mark in (";", "\t") if mark in names[0]), None)):
        said = "semicolons" if mark == ";" else "tabs"
        found.mistake(line, f"columns are parted by commas, and these are by {said}")
        return False
    if len(names) > _MOST_COLUMNS:
        found.mistake(line, f"it has {len(names):,} columns; there are not so many fields")
        return False
    if not {"prompt", "storyboard"} & set(names):
        found.mistake(line, "the first line names the columns, and one of them is prompt or storyboard")
        return False
    for index, name in enumerate(names):
        if name and name in names[:index]:
            found.mistake(line, "two columns have this name", field=name)
    return True


def _row(names: list[str], cells: list[str], line: int, found: Found) -> None:
    more = [cell for cell in cells[len(names) :] if cell.strip()]
    if more:
        found.next_row(line)
        found.mistake(
            line,
            f"it has {len(cells)} cells for {len(names)} columns; a text with a comma in it is put in quotes",
        )
        return

    def line_of(_: Place) -> int:
        return line

    values: dict[str, object] = {name: cell for name, cell in zip(names, cells, strict=False) if cell.strip()}
    found.row(line, values, line_of, is_text=True)
