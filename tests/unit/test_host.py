"""A model in a child process: what it survives, and that nothing of it is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import is_dead

from localvid.errors import LocalvidError, ModelProcessError, NotAvailableError
from localvid.host import ChildHost
from localvid.schemas import Progress

TARGET = """
import ctypes, os, signal, subprocess, sys, time
from pathlib import Path
from localvid.errors import NotAvailableError
from localvid.host import Later
from localvid.schemas import Progress

class Model:
    def __init__(self, report, *, greeting="hello", fail="", crash=0):
        self.report = report
        self.greeting = greeting
        report(Progress(step=0, num_steps=0, message="loading"))
        if fail:
            raise NotAvailableError(fail, hint="mend it")
        if crash:
            os.kill(os.getpid(), crash)

    def greet(self, name):
        return {"text": f"{self.greeting} {name}", "pid": os.getpid(), "cwd_first": sys.path[0]}

    def count(self, steps):
        for step in range(steps):
            self.report(Progress(step=step + 1, num_steps=steps, message="counting"))
        return steps

    def notify(self):
        self.report(Progress(step=1, num_steps=2, message="working", notice="slower than asked"))
        time.sleep(2.5)

    def fail(self):
        raise NotAvailableError("no weights", hint="pull them")

    def fail_otherwise(self):
        raise KeyError("the\\nkey")

    def signal_self(self, number):
        os.kill(os.getpid(), number)
        time.sleep(60)

    def segfault(self):
        ctypes.string_at(0)

    def leave(self, code):
        print("going now")
        sys.stdout.flush()
        os._exit(code)

    def sleep(self, seconds):
        time.sleep(seconds)

    def print_much(self, megabytes):
        for _ in range(megabytes):
            os.write(1, b"x" * 2**20)
            os.write(2, b"y" * 2**20)
        print('{"result": "forged"}', flush=True)
        return "intact"

    def garbage(self):
        for number in range(3, 64):
            link = Path(f"/proc/self/fd/{number}")
            if link.is_symlink() and os.readlink(link).startswith("socket:"):
                os.write(number, b"\\xff" * 64)
        time.sleep(60)

    def fork(self, then_crash):
        child = os.fork()
        if child == 0:
            time.sleep(600)
            os._exit(0)
        if then_crash:
            os.kill(os.getpid(), signal.SIGKILL)
        return child

    def unserialisable(self):
        return object()

    def leave_for_later(self, gate, fail=False):
        def finish():
            while not Path(gate).exists():
                time.sleep(0.01)
            if fail:
                raise NotAvailableError("no room", hint="make some")

        return Later(finish)

    def interrupt_mask(self):
        return signal.getsignal(signal.SIGINT) == signal.SIG_IGN
"""


@pytest.fixture
def make_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ChildHost]]:
    (tmp_path / "child_target.py").write_text(TARGET)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    hosts = []

    def make(silence_seconds: float = 30.0, crash_hint: str = "", **arguments: object) -> ChildHost:
        hosts.append(
            ChildHost(
                "child_target:Model",
                arguments,
                name="the test model",
                silence_seconds=silence_seconds,
                crash_hint=crash_hint,
            )
        )
        return hosts[-1]

    yield make
    for host in hosts:
        host.close()


def is_gone(pid: int) -> bool:
    """No process and no zombie under this number, soon."""
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.01)
    return False


def test_calls_reach_one_process_that_is_gone_after_close(make_host: Callable[..., ChildHost]) -> None:
    with make_host(greeting="good morning") as host:
        first = host.call("greet", {"name": "forest"}, timeout_seconds=30)
        second = host.call("greet", {"name": "dawn 黎明"}, timeout_seconds=30)
        assert first["text"] == "good morning forest"
        assert second["text"] == "good morning dawn 黎明"
        assert first["pid"] == second["pid"] == host.pid != os.getpid()
    assert host.pid is None
    assert is_gone(first["pid"])
    host.close()


def test_every_report_arrives_in_order(make_host: Callable[..., ChildHost]) -> None:
    seen: list[Progress] = []
    with make_host() as host:
        host.start(seen.append, timeout_seconds=30)
        assert "loading" in [progress.message for progress in seen]
        seen.clear()
        assert host.call("count", {"steps": 20}, on_progress=seen.append, timeout_seconds=30) == 20
    assert [progress.step for progress in seen if progress.message] == list(range(1, 21))


def test_progress_is_repeated_while_the_model_is_silent(make_host: Callable[..., ChildHost]) -> None:
    seen: list[Progress] = []
    with make_host() as host:
        host.start(timeout_seconds=30)
        host.call("sleep", {"seconds": 2.5}, on_progress=seen.append, timeout_seconds=30)
    assert len(seen) >= 2


def test_a_notice_is_said_once_though_progress_is_repeated(make_host: Callable[..., ChildHost]) -> None:
    seen: list[Progress] = []
    with make_host() as host:
        host.start(timeout_seconds=30)
        host.call("notify", {}, on_progress=seen.append, timeout_seconds=30)
    assert [progress.notice for progress in seen if progress.notice] == ["slower than asked"]
    assert len([progress for progress in seen if progress.message == "working"]) >= 2


def test_our_own_errors_come_back_as_they_were(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host:
        with pytest.raises(NotAvailableError, match="no weights") as caught:
            host.call("fail", {}, timeout_seconds=30)
        assert caught.value.hint == "pull them"
        assert host.call("count", {"steps": 1}, timeout_seconds=30) == 1


def test_an_error_while_building_leaves_no_process(make_host: Callable[..., ChildHost]) -> None:
    host = make_host(fail="no such weights")
    with pytest.raises(NotAvailableError, match="no such weights"):
        host.call("greet", {"name": "x"}, timeout_seconds=30)
    assert host.pid is None


def test_other_exceptions_are_one_line_and_logged(
    make_host: Callable[..., ChildHost], caplog: pytest.LogCaptureFixture
) -> None:
    with make_host() as host, caplog.at_level("INFO", logger="localvid.host"):
        with pytest.raises(ModelProcessError) as caught:
            host.call("fail_otherwise", {}, timeout_seconds=30)
        assert "KeyError" in caught.value.message
        assert "\n" not in caught.value.message
        assert "fail_otherwise" in caplog.text
        with pytest.raises(ModelProcessError, match="TypeError"):
            host.call("unserialisable", {}, timeout_seconds=30)
        assert host.call("count", {"steps": 2}, timeout_seconds=30) == 2


def test_what_a_call_leaves_to_do_goes_on_beside_the_next(
    make_host: Callable[..., ChildHost], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with make_host() as host:
        first = host.call("leave_for_later", {"gate": str(gate)}, timeout_seconds=30)
        second = host.call("leave_for_later", {"gate": str(gate), "fail": True}, timeout_seconds=30)
        assert host.call("count", {"steps": 2}, timeout_seconds=30) == 2
        assert not first.is_done() and not second.is_done()
        with pytest.raises(ZeroDivisionError):
            first.wait(lambda _progress: 1 // 0)  # type: ignore[arg-type,return-value]
        gate.touch()
        first.wait()
        assert first.is_done()
        with pytest.raises(NotAvailableError, match="no room") as caught:
            second.wait()
        assert caught.value.hint == "make some"
        assert host.call("count", {"steps": 1}, timeout_seconds=30) == 1


def test_what_a_call_left_to_do_is_heard_of_during_the_next(
    make_host: Callable[..., ChildHost], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with make_host() as host:
        later = host.call("leave_for_later", {"gate": str(gate)}, timeout_seconds=30)
        seen: list[bool] = []

        def open_the_gate(_progress: Progress) -> None:
            gate.touch()
            seen.append(later.is_done())

        host.call("sleep", {"seconds": 2.5}, on_progress=open_the_gate, timeout_seconds=30)
        assert seen[0] is False and seen[-1] is True


def test_what_a_process_left_to_do_ends_with_it(make_host: Callable[..., ChildHost], tmp_path: Path) -> None:
    with make_host() as host:
        later = host.call("leave_for_later", {"gate": str(tmp_path / "gate")}, timeout_seconds=30)
        assert host.pid is not None
        os.kill(host.pid, signal.SIGKILL)
        with pytest.raises(ModelProcessError, match="SIGKILL"):
            later.wait()
        assert host.call("count", {"steps": 1}, timeout_seconds=30) == 1
        with pytest.raises(ModelProcessError, match="before it had finished"):
            later.wait()
        assert not later.is_done()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGILL, signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_an_error_and_not_the_end(make_host: Callable[..., ChildHost], number: int) -> None:
    with make_host(crash_hint="rebuild it") as host:
        host.start(timeout_seconds=30)
        pid = host.pid
        with pytest.raises(ModelProcessError, match=signal.Signals(number).name) as caught:
            host.call("signal_self", {"number": int(number)}, timeout_seconds=30)
        assert ("memory" if number == signal.SIGKILL else "rebuild it") in caught.value.hint
        assert pid is not None
        assert is_gone(pid)
        assert host.call("count", {"steps": 3}, timeout_seconds=30) == 3
        assert host.pid != pid


def test_a_real_segmentation_fault(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host, pytest.raises(ModelProcessError, match="SIGSEGV"):
        host.call("segfault", {}, timeout_seconds=30)


def test_a_crash_while_loading(make_host: Callable[..., ChildHost]) -> None:
    host = make_host(crash=int(signal.SIGILL), crash_hint="rebuild it")
    with pytest.raises(ModelProcessError, match="SIGILL"):
        host.start(timeout_seconds=30)
    assert host.pid is None


def test_an_exit_code_is_told_with_the_last_words(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host, pytest.raises(ModelProcessError, match="exit code 7: going now"):
        host.call("leave", {"code": 7}, timeout_seconds=30)


def test_a_call_that_takes_too_long_is_stopped(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host:
        host.start(timeout_seconds=30)
        pid = host.pid
        with pytest.raises(ModelProcessError, match=r"within 0\.3 s"):
            host.call("sleep", {"seconds": 60}, timeout_seconds=0.3)
        assert pid is not None
        assert is_gone(pid)


def test_a_frozen_process_is_noticed_by_its_silence(make_host: Callable[..., ChildHost]) -> None:
    with make_host(silence_seconds=1.5) as host:
        host.start(timeout_seconds=30)
        pid = host.pid
        with pytest.raises(ModelProcessError, match="no sign of life"):
            host.call("signal_self", {"number": int(signal.SIGSTOP)}, timeout_seconds=60)
        assert pid is not None
        assert is_gone(pid)


def test_heartbeats_keep_a_long_call_alive(make_host: Callable[..., ChildHost]) -> None:
    with make_host(silence_seconds=2.5) as host:
        assert host.call("sleep", {"seconds": 4}, timeout_seconds=60) is None


def test_what_is_printed_harms_nothing(
    make_host: Callable[..., ChildHost], capfd: pytest.CaptureFixture[str]
) -> None:
    with make_host() as host:
        assert host.call("print_much", {"megabytes": 8}, timeout_seconds=60) == "intact"
    assert capfd.readouterr() == ("", "")


def test_nonsense_on_the_pipe(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host:
        host.start(timeout_seconds=30)
        pid = host.pid
        with pytest.raises(ModelProcessError, match="nonsense"):
            host.call("garbage", {}, timeout_seconds=30)
        assert pid is not None
        assert is_gone(pid)


@pytest.mark.parametrize("then_crash", [False, True])
def test_grandchildren_go_too(make_host: Callable[..., ChildHost], then_crash: bool) -> None:
    started = time.monotonic()
    with make_host() as host:
        host.start(timeout_seconds=30)
        group = host.pid
        assert group is not None
        if then_crash:
            with pytest.raises(ModelProcessError, match="SIGKILL"):
                host.call("fork", {"then_crash": True}, timeout_seconds=30)
        else:
            grandchild = host.call("fork", {"then_crash": False}, timeout_seconds=30)
            host.close()
            assert is_gone(grandchild)
        assert group_is_gone(group)
    assert time.monotonic() - started < 25


def group_is_gone(group: int) -> bool:
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("raised", [ValueError("cancelled"), KeyboardInterrupt(), LocalvidError("stopped")])
def test_what_the_listener_raises_passes_and_kills(
    make_host: Callable[..., ChildHost], raised: BaseException
) -> None:
    def listen(progress: Progress) -> None:
        if progress.message == "counting":
            raise raised

    with make_host() as host:
        host.start(timeout_seconds=30)
        pid = host.pid
        with pytest.raises(type(raised)) as caught:
            host.call("count", {"steps": 3}, on_progress=listen, timeout_seconds=30)
        assert caught.value is raised
        assert pid is not None
        assert is_gone(pid)


def test_the_child_ignores_the_terminals_interrupt(make_host: Callable[..., ChildHost]) -> None:
    with make_host() as host:
        assert host.call("interrupt_mask", {}, timeout_seconds=30) is True
        assert host.pid is not None
        assert os.getpgid(host.pid) != os.getpgid(0)


def test_a_module_in_the_current_folder_does_not_shadow(
    make_host: Callable[..., ChildHost], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(elsewhere)
    with make_host() as host:
        assert host.call("count", {"steps": 1}, timeout_seconds=30) == 1


def test_an_unknown_target() -> None:
    host = ChildHost("no_such_module:Model", {}, name="the test model")
    with pytest.raises(ModelProcessError, match="ModuleNotFoundError"):
        host.start(timeout_seconds=30)
    assert host.pid is None


SCRIPT = """
import sys, time
from localvid.host import ChildHost
host = ChildHost("child_target:Model", {}, name="m")
print(host.call("greet", {"name": "x"}, timeout_seconds=30)["pid"], flush=True)
if sys.argv[1] == "idle":
    time.sleep(60)
host.call("sleep", {"seconds": 60}, timeout_seconds=60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_an_unguarded_script_runs_and_its_child_dies_with_it(tmp_path: Path, state: str) -> None:
    (tmp_path / "child_target.py").write_text(TARGET)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    parent = subprocess.Popen(
        [sys.executable, str(script), state], stdout=subprocess.PIPE, text=True, env=environment
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
    assert is_dead(pid)
