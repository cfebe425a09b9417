import os
import signal
import threading
import time

import pytest

from localvid.cli import signals

STOPPERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def send(number: int) -> None:
    """Send this process the signal, and give Python the chance to handle it."""
    os.kill(os.getpid(), number)
    time.sleep(0.01)


@pytest.mark.parametrize("number", STOPPERS)
def test_a_signal_interrupts_a_command(number: int) -> None:
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals.interrupting():
        send(number)
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_stops_the_second_interrupts_and_the_third_is_the_systems(number: int) -> None:
    before = signal.getsignal(number)
    stopped = []
    with pytest.raises(KeyboardInterrupt), signals.stopping(lambda: stopped.append(True)):
        send(number)
        assert stopped == [True]
        try:
            send(number)
        finally:
            assert signal.getsignal(number) == signal.SIG_DFL
    assert stopped == [True]
    assert signal.getsignal(number) == before


def test_a_closed_terminal_stops_once_however_many_signals_it_sends() -> None:
    stopped = []
    with pytest.raises(KeyboardInterrupt), signals.stopping(lambda: stopped.append(True)):
        for _ in range(3):
            send(signal.SIGHUP)
        assert stopped == [True]
        send(signal.SIGTERM)
    assert stopped == [True]


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with signals.interrupting():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_set_no_handlers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    def run() -> None:
        with signals.interrupting():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]
