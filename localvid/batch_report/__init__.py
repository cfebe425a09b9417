"""What became of a batch: a document (`report.json`) and a page to look at (`report.html`).

Everything is read from rows and films, so a report can be made at any time, also of a batch that is still at
work or was killed. Nothing here prints, and nothing is rendered for it.
"""

from __future__ import annotations

from localvid.batch_report.document import BatchReport, FilmReport, read_report
from localvid.batch_report.writing import write_report

__all__ = ["BatchReport", "FilmReport", "read_report", "write_report"]
