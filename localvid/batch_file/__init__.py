"""Batch files (JSON lines, JSON, YAML, CSV) → a film to make for each row, and every mistake with its line.

It starts nothing and asks for no model: whether a model is there and takes what a row asks for is found out
when the batch is planned.
"""

from __future__ import annotations

from localvid.batch_file.names import DEFAULT_PATTERN
from localvid.batch_file.reading import read_batch
from localvid.batch_file.rows import BatchFile, BatchRow, Mistake

__all__ = ["DEFAULT_PATTERN", "BatchFile", "BatchRow", "Mistake", "read_batch"]
