"""What tests ask of processes: whether one is gone, that one stand still, what it called, and many that start
fast, each forked from a warm one."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


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


class Zygote:
    """A script that was started once and forks a worker for each order, so that its imports are paid once.

    The script calls `serve_forks` in its turn. A context manager; its workers do not outlive it.
    """

    def __init__(self, script: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, script, "zygote", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": _with_tests(os.environ.get("PYTHONPATH", ""))},
            text=True,
        )
        self._heard: dict[int, deque[str]] = defaultdict(deque)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1 if error else 30)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def fork(self, order: str = "") -> Fork:
        self._tell(f"fork {order}")
        return Fork(self, int(self._hear(0)))

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _hear(self, pid: int) -> str:
        """The next word of a worker's, or with 0 of the zygote's own."""
        assert self._process.stdout is not None
        while not self._heard[pid]:
            line = self._process.stdout.readline()
            if not line:
                raise AssertionError("the zygote ended")
            who, _, word = line.rstrip("\n").partition(" ")
            self._heard[int(who)].append(word)
        return self._heard[pid].popleft()


class Fork:
    """A worker that a zygote forked."""

    def __init__(self, zygote: Zygote, pid: int) -> None:
        self._zygote = zygote
        self.pid = pid

    def hear(self) -> str:
        """Wait for the worker's next word; none may be due."""
        return self._zygote._hear(self.pid)

    def kill(self) -> bool:
        """End it with SIGKILL; False if it had ended well before. AssertionError if it had failed."""
        self.signal(signal.SIGKILL)
        code = self.wait()
        assert code in (0, -signal.SIGKILL), f"it ended with code {code}"
        return code != 0

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def stop(self) -> None:
        """As `stand_still`."""
        stand_still(self.pid)

    def wait(self) -> int:
        """Its exit code, when it ended; the zygote forks no other meanwhile."""
        self._zygote._tell(f"wait {self.pid}")
        return int(self._zygote._hear(0))


def stand_still(pid: int) -> None:
    """Stop a process with SIGSTOP, all its threads: one that waits for the disk does so later."""
    os.kill(pid, signal.SIGSTOP)
    for task in Path(f"/proc/{pid}/task").iterdir():
        while (task / "stat").read_text().rpartition(")")[2].split()[0] not in "TZ":
            time.sleep(0.001)


def stand_still_outside_transactions(pid: int, workspace: Path) -> None:
    """As `stand_still`, at a moment when the process holds no lock on the workspace's rows."""
    for _ in range(200):
        stand_still(pid)
        if is_database_free(workspace):
            return
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
    raise AssertionError("it holds a lock all the time")


def is_database_free(workspace: Path) -> bool:
    """Whether no process holds a lock: without a write-ahead log one who reads keeps others from writing."""
    with closing(sqlite3.connect(workspace / "localvid.sqlite3", timeout=0.1)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            return False
        connection.rollback()
    return True


def calls_of(trace: str) -> Iterator[str]:
    """The system calls in what `strace -f -o` wrote, each in a line, in the order in which they ended: one
    thread's may be told amid another's."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        thread, call = line.split(maxsplit=1)
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif resumed := re.match(r"<\.\.\. \w+ resumed>", call):
            yield begun.pop(thread) + call[resumed.end() :]
        else:
            yield call


def serve_forks(work: Callable[[str], None]) -> None:
    """In the script: fork a worker for each order until the standard input ends. No thread may run, and
    nothing be open, that a fork cannot share."""
    for line in sys.stdin:
        what, _, order = line.rstrip("\n").partition(" ")
        if what == "wait":
            _, status = os.waitpid(int(order), 0)
            _say(0, str(os.waitstatus_to_exitcode(status)))
            continue
        pid = os.fork()
        if pid == 0:
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
            _work_and_end(work, order)
        _say(0, str(pid))


def _work_and_end(work: Callable[[str], None], order: str) -> None:
    code = 1
    try:
        work(order)
        code = 0
    except BaseException as error:
        traceback.print_exc()
        say(f"failed: {type(error).__name__}")
    finally:
        os._exit(code)


def say(word: str) -> None:
    """In a worker: a word for whoever ordered it."""
    _say(os.getpid(), word)


def _say(pid: int, word: str) -> None:
    os.write(1, f"{pid} {word}\n".encode())  # in one piece, as other workers write here, too


def _with_tests(path: str) -> str:
    return os.pathsep.join(filter(None, (str(Path(__file__).parent), path)))
