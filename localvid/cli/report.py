"""The command `report`: what became of a batch, as a page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localvid.cli import output
from localvid.cli.options import Json, Workspace, file_option


def report(
    batch: Annotated[
        str,
        typer.Argument(
            metavar="BATCH", show_default=False, help="A batch's id, its beginning, or its file's name."
        ),
    ],
    folder: Annotated[
        Path | None,
        file_option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="Where both files go; if not given, reports/ in the workspace.",
        ),
    ] = None,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Write what became of a batch: report.html and report.json.

    At any time, also while films are made. Reports that are there are replaced.
    """
    from localvid.batch_report import write_report
    from localvid.config import load_settings
    from localvid.errors import JobNotFoundError
    from localvid.store import Store

    with Store(load_settings(workspace=workspace).workspace) as store:
        try:
            found = store.get_batch(str(Path(batch).absolute()))  # as a file is remembered
        except JobNotFoundError:
            found = store.get_batch(batch)
        page, document = write_report(store, found, folder or store.workspace / "reports" / found.id)
    if as_json:
        print(document.read_text(encoding="utf-8"), end="")
        return
    for path in (page, document):
        print(output.one_line(output.short_path(path)))
