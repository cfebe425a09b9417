"""Plans that got through after memory ran out, remembered for the next time: one small JSON file.

A plan is remembered for a device, a model, a size and the memory that the plan was made for; with more
memory than then it is not recalled, so that one busy evening does not slow a card down for good. The file
is a convenience: where it cannot be read or written, that is logged and nothing fails.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field, ValidationError

from localvid.errors import LocalvidError
from localvid.files import writing
from localvid.pipelines.svd.budget.ladder import ClipSize
from localvid.pipelines.svd.plan import EnginePlan
from localvid.schemas import Frozen

_logger = logging.getLogger(__name__)

FILE_NAME = "remembered-plans.json"
_MOST_ENTRIES = 200
_MORE_MEMORY = 1.05
"""From this many times the memory on, it is worth trying the higher plan again: what other programs hold
swings by some hundred MB."""


class PlanKey(Frozen):
    """What a plan was found for."""

    device: str
    """Name of the GPU, or "cpu"."""
    model_id: str
    revision: str
    size: ClipSize


class _Entry(Frozen):
    key: PlanKey
    budget_bytes: int = Field(ge=0)
    plan: EnginePlan


class _Book(Frozen):
    """The newest entry last."""

    entries: tuple[_Entry, ...] = ()


class RememberedPlans:
    """The plans in one file, shared by all processes that use it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, key: PlanKey, *, budget_bytes: int) -> EnginePlan | None:
        """The plan that got through for this very key, unless there is more memory now than there was."""
        for entry in self._read().entries:
            if entry.key == key and budget_bytes < entry.budget_bytes * _MORE_MEMORY:
                return entry.plan
        return None

    def remember(self, key: PlanKey, plan: EnginePlan, *, budget_bytes: int) -> None:
        """Keep `plan` in place of what was remembered for `key`; the oldest of 200 keys go."""
        entry = _Entry(key=key, budget_bytes=budget_bytes, plan=plan)
        try:
            with self._locked():
                others = [other for other in self._read().entries if other.key != key]
                book = _Book(entries=(*others, entry)[-_MOST_ENTRIES:])
                with writing(self._path, overwrite=True) as partial:
                    partial.write_text(book.model_dump_json(indent=1), encoding="utf-8")
        except (OSError, LocalvidError) as error:
            _logger.warning("%s is not written: %s", self._path, error)

    def _read(self) -> _Book:
        """What the file holds; nothing where it is missing, damaged or of another version."""
        try:
            return _Book.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return _Book()
        except (OSError, ValidationError) as error:
            _logger.warning("%s is not read: %s", self._path, str(error).splitlines()[0])
            return _Book()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, over all processes. Not on the file itself, which is replaced."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)  # which lets go of the lock
