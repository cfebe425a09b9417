"""What tests ask of processes that are not their children."""

from __future__ import annotations

import time
from pathlib import Path


def is_dead(pid: int) -> bool:
    """Gone within 3 s, or a zombie that whoever inherited it has not reaped: not ours to reap any more."""
    for _ in range(300):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False
