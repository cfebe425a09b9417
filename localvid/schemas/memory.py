"""How much memory something held at most, wherever it was measured."""

from __future__ import annotations

from typing import NamedTuple


class PeakMemory(NamedTuple):
    """The most that something held at a time, in bytes."""

    host_bytes: int | None = None
    """Resident in main memory; None: it cannot be told."""
    gpu_bytes: int | None = None
    """Reserved on the GPU by torch's allocator; None: none was, or it cannot be told."""


IN_THIS_PROCESS = PeakMemory(host_bytes=0)
"""Of a model that runs in the process that uses it: nothing beside what that process holds itself."""
