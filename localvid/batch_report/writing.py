"""The two files of a report, each whole or not at all, written a film at a time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

from localvid.batch_report.document import BatchReport, FilmReport, read_report
from localvid.batch_report.page import page_of
from localvid.batch_report.pictures import Still, stills_of
from localvid.files import as_workspace_error, writing
from localvid.store import BatchRows, Store

logger = logging.getLogger(__name__)

_HTML, _JSON = "report.html", "report.json"


def write_report(store: Store, batch: BatchRows, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into `folder`, which is made; return their paths. Earlier ones
    are replaced.

    Pictures are held one film at a time, so what a large batch needs is its rows in memory. Raises
    WorkspaceError, DiskFullError: the earlier files are whole then.
    """
    folder = folder.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise as_workspace_error(error, folder) from error
    report = read_report(store, batch)
    page, document = folder / _HTML, folder / _JSON
    _write(document, _json_of(report))

    def stills(film: FilmReport) -> list[Still]:
        return list(stills_of(film, store))

    _write(page, page_of(report, stills, folder=folder))
    logger.info("report of batch %s: %s", report.id, page)
    return page, document


def _write(output: Path, pieces: Iterator[str]) -> None:
    # A path may hold bytes that are no UTF-8; as an escape it is still readable, and still JSON.
    with (
        writing(output, overwrite=True) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace") as file,
    ):
        file.writelines(pieces)


def _json_of(report: BatchReport) -> Iterator[str]:
    """The document in pieces: its head as one, then each film on lines of its own."""
    head = json.dumps(report.model_dump(mode="json", exclude={"films"}), ensure_ascii=False, indent=2)
    yield head.removesuffix("\n}") + ',\n  "films": ['
    for place, film in enumerate(report.films):
        text = json.dumps(film.model_dump(mode="json"), ensure_ascii=False, indent=2)
        yield ",\n    " if place else "\n    "
        yield text.replace("\n", "\n    ")  # within a text a line feed is written as an escape
    yield "\n  ]\n}\n"
