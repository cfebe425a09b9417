"""On what terms a batch is run, as every process that works on it is told."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from localvid.schemas import Frozen

MAX_ATTEMPTS = 3
"""A film that failed so often in one stage is set aside."""


class BatchTerms(Frozen):
    """What the user asked for of the batch as a whole."""

    in_flight: int | None = Field(default=None, ge=1)
    """Of the films that are not ended, so many are worked on; None: all. Fewer take less disk at a time, and
    load models more often."""
    until: datetime | None = None
    """What does not fit before it is not begun, and work stops then at its next safe point."""
    fail_fast: bool = False
    """The first film that is set aside ends the batch."""
    backoff_seconds: float = Field(default=30.0, ge=0)
    """Before the second attempt; twice as long before the third."""
    space_poll_seconds: float = Field(default=10.0, gt=0)
    """How often a full disk is looked at again."""
