"""What the system says of the host's memory, read from files laid out as Linux does."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from localvid import memory

KIB = 1024


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 16 GiB with 10 available, of which this process has 3 pages."""
    for name in ("proc/self", "cgroup"):
        (tmp_path / name).mkdir(parents=True)
    meminfo = f"MemTotal: {16 * KIB**2} kB\nMemFree: 1 kB\nMemAvailable: {10 * KIB**2} kB\n"
    (tmp_path / "proc/meminfo").write_text(meminfo)
    (tmp_path / "proc/self/statm").write_text("9 3 2 1 0 1 0\n")
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_CGROUP", tmp_path / "cgroup")
    return tmp_path


OWN = 3 * os.sysconf("SC_PAGE_SIZE")


def test_a_machine_gives_what_is_available_and_what_is_ours(system: Path) -> None:
    assert memory.total_bytes() == 16 * KIB**3
    assert memory.usable_bytes() == 10 * KIB**3 + OWN
    (system / "proc/meminfo").unlink()
    assert (memory.total_bytes(), memory.usable_bytes()) == (None, None)


def test_a_containers_limit_counts(system: Path) -> None:
    for name, text in (("max", 4 * KIB**3), ("current", 3 * KIB**3)):
        (system / f"cgroup/memory.{name}").write_text(f"{text}\n")
    (system / "cgroup/memory.stat").write_text(f"anon 7\ninactive_file {KIB**3}\n")

    assert memory.total_bytes() == 4 * KIB**3
    assert memory.usable_bytes() == 2 * KIB**3 + OWN
    (system / "cgroup/memory.max").write_text("max\n")
    assert memory.total_bytes() == 16 * KIB**3
    assert memory.usable_bytes() == 10 * KIB**3 + OWN


def test_kills_for_lack_of_memory_are_counted(system: Path) -> None:
    assert memory.oom_kills() is None
    (system / "proc/vmstat").write_text("pgfault 8\noom_kill 2\n")
    assert memory.oom_kills() == 2
    (system / "cgroup/memory.events").write_text("oom 5\noom_kill 1\noom_group_kill 0\n")
    assert memory.oom_kills() == 1


def test_the_peak_of_a_process_is_read_and_begun_anew(system: Path) -> None:
    assert memory.take_peak_bytes(77) is None
    (system / "proc/77").mkdir()
    (system / "proc/77/status").write_text("Name:\tpython\nVmPeak:\t 9000 kB\nVmHWM:\t    2024 kB\n")
    assert memory.take_peak_bytes(77) == 2024 * KIB
    assert (system / "proc/77/clear_refs").read_text() == "5"
    (system / "proc/77/clear_refs").unlink()
    (system / "proc/77/clear_refs").mkdir()  # it cannot be begun anew: the next peak would be this one
    assert memory.take_peak_bytes(77) is None


def test_a_real_peak_is_forgotten_once_it_is_taken() -> None:
    taken = 96 * KIB**2
    before = memory.take_peak_bytes(os.getpid())
    if before is None:
        pytest.skip("this system does not tell a process's peak, or lets nobody begin it anew")
    # Pages of its own: what the allocator is asked for, it may serve from what it has kept resident.
    with mmap.mmap(-1, taken, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        for _ in range(taken // KIB**2):
            pages.write(b"x" * KIB**2)
    high, low = memory.take_peak_bytes(os.getpid()), memory.take_peak_bytes(os.getpid())
    assert high is not None
    assert low is not None
    assert high - low == pytest.approx(taken, abs=taken / 4)
