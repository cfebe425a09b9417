import logging
import sys
import threading
from io import StringIO

import pytest
from rich.console import Console

from localvid.cli import progress as shown
from localvid.cli.pace import Pace
from localvid.cli.progress import STOPPING, film_progress, noting_log
from localvid.schemas import Progress, Stage


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def report(
    step: int, num_steps: int, *, overall: float = 0.0, shot: int | None = 1, **more: object
) -> Progress:
    fields = {"stage": Stage.CLIPS, "message": f"rendering shot {shot}", "num_shots": 3, **more}
    return Progress(step=step, num_steps=num_steps, overall=overall, shot=shot, **fields)  # type: ignore[arg-type]


# --- time left -----------------------------------------------------------------------------------


def test_time_left_follows_from_the_speed_and_counts_down_between_reports() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.seconds_left() is None
    for share in (0.1, 0.2, 0.3):
        pace.add(report(1, 10, overall=share))
        clock.seconds += 5
    # Two tenths in the ten seconds before the last report; seven tenths are left, five seconds gone since.
    assert pace.seconds_left() == pytest.approx(35 - 5)
    clock.seconds += 100
    assert pace.seconds_left() == 0
    assert pace.elapsed() == 115


def test_steps_made_already_say_nothing_about_speed() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.add(report(0, 0, overall=0.0))
    pace.add(report(1, 1, overall=0.5, cached=True))
    clock.seconds += 2
    pace.add(report(1, 10, overall=0.6))
    clock.seconds += 2
    pace.add(report(2, 10, overall=0.7))
    assert pace.seconds_left() == pytest.approx(0.3 / (0.2 / 4))


def test_only_the_last_stretch_counts() -> None:
    clock = Clock()
    pace = Pace(clock)
    for second in range(100):  # a slow start, then ten times faster
        pace.add(report(1, 10, overall=second / 1000))
        clock.seconds += 1
    for second in range(40):
        pace.add(report(1, 10, overall=0.1 + second / 100))
        clock.seconds += 1
    assert pace.seconds_left() == pytest.approx((1 - 0.49) / 0.01 - 1, rel=0.05)


def test_the_storyboard_says_nothing_about_the_clips() -> None:
    clock = Clock()
    pace = Pace(clock)
    for share in (0.05, 0.1, 0.15):
        pace.add(report(1, 10, overall=share, stage=Stage.STORYBOARD, shot=None))
        clock.seconds += 20
    assert pace.seconds_left() is None
    pace.add(report(0, 0, overall=0.15))
    clock.seconds += 2
    pace.add(report(1, 10, overall=0.25))
    assert pace.seconds_left() == pytest.approx(0.75 / 0.05)


def test_what_has_no_stage_is_not_estimated_here() -> None:
    clock = Clock()
    pace = Pace(clock)
    for share in (0.1, 0.2, 0.3):
        pace.add(report(0, 0, overall=share, stage=None, shot=None))
        clock.seconds += 20
    assert pace.overall == 0.3
    assert pace.seconds_left() is None


def test_the_share_never_falls() -> None:
    pace = Pace(Clock())
    pace.add(report(1, 2, overall=0.4))
    pace.add(report(0, 0, overall=0.2))
    assert pace.overall == 0.4


# --- lines ---------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> tuple[shown._Lines, StringIO, Clock]:
    stream, clock = StringIO(), Clock()
    return shown._Lines(stream, now=clock), stream, clock


def test_one_line_a_step_and_none_for_its_parts(lines: tuple[shown._Lines, StringIO, Clock]) -> None:
    display, stream, clock = lines
    with display:
        for shot in (1, 2):
            display.report(report(0, 0, shot=shot, overall=0.2 * shot))
            for step in range(1, 25):
                clock.seconds += 0.1
                display.report(report(step, 24, shot=shot, overall=0.2 * shot))
            display.report(report(1, 1, shot=shot, overall=0.2 * shot + 0.2))
    printed = stream.getvalue().splitlines()
    assert len(printed) == 2
    assert printed[0] == " 20% clips, shot 1/3: rendering"
    assert printed[1].startswith(" 40% clips, shot 2/3: rendering")


def test_two_steps_of_one_shot_are_two_lines(lines: tuple[shown._Lines, StringIO, Clock]) -> None:
    display, stream, _clock = lines
    for message in ("sampling shot 1", "decoding shot 1"):
        display.report(report(0, 0, message=message))
        display.report(report(1, 2, message=message))
        display.report(report(1, 1, message=message))
    assert [line.partition(": ")[2] for line in stream.getvalue().splitlines()] == ["sampling", "decoding"]


def test_a_step_made_already_is_one_line_that_says_so(lines: tuple[shown._Lines, StringIO, Clock]) -> None:
    display, stream, _clock = lines
    display.report(report(0, 0))
    display.report(report(1, 1, cached=True, overall=0.3))
    assert stream.getvalue() == " 30% clips, shot 1/3: rendering (made already)\n"


def test_a_long_step_gives_a_sign_of_life(lines: tuple[shown._Lines, StringIO, Clock]) -> None:
    display, stream, clock = lines
    display.report(report(0, 0))
    for step in range(1, 101):
        clock.seconds += 1
        display.report(report(step, 200, overall=step / 200))
    printed = stream.getvalue().splitlines()
    assert len(printed) == 1 + 3
    assert "rendering 30/200, about 2:50 left" in printed[1]


def test_lines_hold_no_control_characters(lines: tuple[shown._Lines, StringIO, Clock]) -> None:
    display, stream, _clock = lines
    display.report(report(0, 0, message="\x1b[2Jgone\r\n"))
    display.report(report(1, 2))
    display.notice("one\ntwo\x07")
    display.stopping()
    assert stream.getvalue().splitlines() == ["  0% clips, shot 1/3: gone", "note: one two", STOPPING]


def test_work_goes_on_when_nobody_listens_any_more() -> None:
    class Gone(StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    display = shown._Lines(Gone())
    display.report(report(0, 0))
    display.report(report(1, 2))
    display.notice("note")


# --- the bar -------------------------------------------------------------------------------------


def frame(display: shown._Bar, width: int) -> list[str]:
    """What the display draws at this moment on a terminal of this width."""
    console = Console(file=StringIO(), width=width, height=20, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(display)
    return capture.get().splitlines()


@pytest.mark.parametrize("width", [10, 20, 40, 50, 80, 200])
@pytest.mark.parametrize("overall", [0.0, 0.37, 1.0])
def test_the_bar_is_two_lines_that_fit_any_terminal(width: int, overall: float) -> None:
    display = shown._Bar()
    display.report(report(41, 97, shot=2, overall=overall, message="海" * 60))
    drawn = frame(display, width)
    assert len(drawn) == 2
    assert all(len(line) + line.count("海") <= width for line in drawn)
    assert f"{overall:.0%}" in drawn[1]


def test_the_bar_says_stage_shot_step_and_share() -> None:
    display = shown._Bar()
    assert "starting" in frame(display, 80)[0]
    display.report(report(41, 97, shot=2, overall=0.5))
    activity, bar = frame(display, 80)
    assert activity[2:] == "clips · shot 2/3 · rendering · 41/97"
    assert bar.count("━") == bar.count("─") == 25
    assert bar.rstrip().endswith("50%  0:00")


def test_a_model_that_loads_shows_no_step() -> None:
    display = shown._Bar()
    display.report(report(0, 0, message="loading the weights"))
    assert frame(display, 80)[0][2:] == "clips · shot 1/3 · loading the weights"


def test_a_stop_is_said_in_the_bar() -> None:
    display = shown._Bar()
    display.report(report(1, 2))
    display.stopping()
    assert STOPPING in frame(display, 80)[0]


def test_what_stages_did_stays_above_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    display = shown._Bar()
    with display:
        display.report(report(0, 0, stage=Stage.STORYBOARD, shot=None))
        display.report(report(1, 1, stage=Stage.STORYBOARD, shot=None))
        for shot, cached in ((1, True), (2, False), (3, True)):
            display.report(report(0, 0, shot=shot))
            display.report(report(1, 1, shot=shot, cached=cached))
        display.notice("a note")
        display.report(report(0, 0, stage=Stage.JOIN, shot=None))
        display.report(report(1, 1, stage=Stage.JOIN, shot=None, cached=True))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "✓ storyboard  0.0 s" in printed.err
    assert "✓ clips  3 shots, 2 made already, 0.0 s" in printed.err
    assert "✓ join  made already" in printed.err
    assert "note: a note" in printed.err


def test_a_failed_stage_gets_no_tick(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), shown._Bar() as display:
        display.report(report(0, 0))
        raise RuntimeError
    assert "✓" not in capsys.readouterr().err


def test_results_printed_while_the_bar_moves_stay_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown._Bar():
        sys.stdout.write("result\n")
    assert capsys.readouterr().out == "result\n"


def test_reports_may_come_from_another_thread() -> None:
    with shown._Bar() as display:
        thread = threading.Thread(target=lambda: [display.report(report(n, 50)) for n in range(50)])
        thread.start()
        thread.join()
        assert "49/50" in frame(display, 80)[0]


# --- which display -------------------------------------------------------------------------------


def test_the_display_follows_from_where_standard_error_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # asks for colours, and is not a terminal
    monkeypatch.setenv("TERM", "xterm-256color")
    assert isinstance(film_progress(quiet=False), shown._Lines)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert isinstance(film_progress(quiet=False), shown._Bar)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(film_progress(quiet=False), shown._Lines)
    assert isinstance(film_progress(quiet=True), shown._Silence)


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with film_progress(quiet=True) as display:
        display.report(report(1, 2))
        display.notice("note")
        display.stopping()
    assert capsys.readouterr() == ("", "")


# --- the log -------------------------------------------------------------------------------------


def test_what_the_library_warns_of_is_a_note_and_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("localvid.media.lettering")
    with noting_log(film_progress(quiet=False).notice):
        for _ in range(2):
            log.warning("no font for %s", "CJK")
        log.info("nothing that a user should know")
    log.warning("not said as a note any more")
    assert capsys.readouterr().err == "note: no font for CJK\n"


def test_quiet_keeps_the_log_back_too(capsys: pytest.CaptureFixture[str]) -> None:
    with noting_log(film_progress(quiet=True).notice):
        logging.getLogger("localvid.media.lettering").warning("no font")
    assert capsys.readouterr().err == ""
