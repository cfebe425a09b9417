"""A batch file → its jobs and its mistakes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import BinaryIO

from localvid.batch_file.names import DEFAULT_PATTERN
from localvid.batch_file.rows import BatchFile
from localvid.schemas import FilmOptions


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
    raise NotImplementedError
