"""How much of the host's memory there is, and how much this process may take: Linux's own account of it.

A container's limit counts as the machine's size. Where nothing is known, None is answered, and nobody plans
by it.
"""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_CGROUP = Path("/sys/fs/cgroup")


def total_bytes() -> int | None:
    """Memory of the machine, or of the container that this process is in."""
    installed = _meminfo("MemTotal")
    known = [count for count in (installed, _number(_CGROUP / "memory.max")) if count is not None]
    return min(known, default=None)


def usable_bytes() -> int | None:
    """What this process may have in all: what is available, and what it has taken already."""
    available = _meminfo("MemAvailable")
    limit, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    if limit is not None and used is not None:
        # Of what files are cached, all can be taken back.
        left = max(0, limit - used + _statistic(_CGROUP / "memory.stat", "inactive_file"))
        available = left if available is None else min(left, available)
    return None if available is None else available + _resident_bytes()


def oom_kills() -> int | None:
    """How many processes the system has killed for lack of memory so far, in this container or since boot."""
    for path in (_CGROUP / "memory.events", _PROC / "vmstat"):
        for line in _lines(path):
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
    return None


def peak_bytes(pid: int) -> int | None:
    """The most that a process had resident at a time since `reset_peak`, or since it began.

    It is one process's own: nothing of what it started, and what is shared with others counts in full.
    """
    return _kib(_PROC / str(pid) / "status", "VmHWM")


def reset_peak(pid: int) -> bool:
    """Have a process's peak begin anew from what is resident now; False where the system does not do it."""
    try:
        (_PROC / str(pid) / "clear_refs").write_text("5")  # proc(5): 5 is for the peak alone
    except OSError:
        return False
    return True


def take_peak_bytes(pid: int) -> int | None:
    """The peak, which then begins anew. None where it does not: the next would be told this one again."""
    peak = peak_bytes(pid)
    return peak if reset_peak(pid) else None


def _meminfo(name: str) -> int | None:
    return _kib(_PROC / "meminfo", name)


def _kib(path: Path, name: str) -> int | None:
    """A line such as "MemTotal: 16 kB", in bytes."""
    for line in _lines(path):
        field, _, rest = line.partition(":")
        if field == name:
            return int(rest.split()[0]) * 1024
    return None


def _resident_bytes() -> int:
    lines = _lines(_PROC / "self" / "statm")
    return int(lines[0].split()[1]) * os.sysconf("SC_PAGE_SIZE") if lines else 0


def _statistic(path: Path, name: str) -> int:
    found = (line.partition(" ") for line in _lines(path))
    return next((int(count) for field, _, count in found if field == name), 0)


def _number(path: Path) -> int | None:
    """The number in a file; None where there is none, or it says "max"."""
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
