import sys
from collections.abc import Callable
from io import StringIO

import pytest

from localvid.cli.byte_progress import byte_progress
from localvid.schemas import Progress


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, report: Callable[..., None] | None) -> str:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal)
    with byte_progress(quiet=False) as on_progress:
        if report is not None:
            report(on_progress)
    return terminal.getvalue()


def test_no_bar_is_drawn_before_the_first_report(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, None) == ""


def test_the_bar_shows_what_is_reported_and_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = shown(
        monkeypatch,
        lambda tell: tell(Progress(step=2_000_000, num_steps=4_000_000, message="unet.safetensors")),
    )
    assert "unet.safetensors" in drawn
    assert "2.0/4.0 MB" in drawn
    assert "/?" not in drawn
    assert drawn.endswith("\x1b[2K")


def test_the_terminal_is_put_right_where_the_work_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(OSError, match="gone"), byte_progress(quiet=False) as on_progress:
        on_progress(Progress(step=1, num_steps=4, message="a"))
        raise OSError("gone")
    hidden, shown_again = terminal.getvalue().rfind("\x1b[?25l"), terminal.getvalue().rfind("\x1b[?25h")
    assert -1 < hidden < shown_again
