import json
import re
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localvid.cli import output
from localvid.errors import InvalidRequestError
from localvid.schemas import Shot


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999.5 kB"),
        (999_500, "1.0 MB"),
        (98_362_432, "98.4 MB"),
        (4_509_188_012, "4.5 GB"),
        (999_999_999_999, "1.0 TB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_byte_size(number: int, text: str) -> None:
    assert output.byte_size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0:00"), (0.4, "0:00"), (9.6, "0:10"), (750, "12:30"), (3723, "1:02:03")]
)
def test_clock(seconds: float, text: str) -> None:
    assert output.clock(seconds) == text


@given(st.text())
def test_one_line_has_no_break_and_no_control_character(text: str) -> None:
    line = output.one_line(text)
    assert len(line.splitlines()) <= 1
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in line)


def test_one_line_keeps_scripts_and_emoji() -> None:
    assert output.one_line("海の\n灯台  \x1b[31m🌊 می‌خواهم") == "海の 灯台 🌊 می‌خواهم"


def test_hints_name_the_workspace_of_this_command_line() -> None:
    hint = "free some space (`localvid clean`), then localvid resume 7f3k"
    assert output.with_workspace(hint, None) == hint
    assert output.with_workspace(hint, "/my films") == (
        "free some space (`localvid clean --workspace '/my films'`), "
        "then localvid resume --workspace '/my films' 7f3k"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["generate", "x"], None),
        (["generate", "x", "--workspace", "/a"], "/a"),
        (["generate", "--workspace=/a", "x"], "/a"),
        (["generate", "--", "--workspace", "/a"], None),
        (["generate", "--workspace"], None),
    ],
)
def test_workspace_flag(arguments: list[str], found: str | None) -> None:
    assert output.workspace_flag(arguments) == found


def test_errors_are_one_line_each_without_colours_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_error("two\nlines\x1b[2J", "try\nthis")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: two lines\nhint: try this\n"


def test_json_holds_models_paths_and_any_script(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"shots": [Shot(description="海")], "path": Path("/a"), "none": None})
    printed = capsys.readouterr().out
    assert "海" in printed
    assert json.loads(printed)["shots"][0]["camera"] == "static"
    assert json.loads(printed)["path"] == "/a"


def test_local_time_has_minutes() -> None:
    assert output.local_time(datetime(2026, 1, 31, 16, 4, 59, tzinfo=UTC)).endswith(":04")


def test_short_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert output.short_path(tmp_path / "films" / "a.mp4") == "films/a.mp4"
    assert output.short_path(tmp_path.parent / "b.mp4") == "~/b.mp4"
    assert output.short_path(Path("/etc/hosts")) == "/etc/hosts"


def test_a_pipe_gets_everything_uncut_and_no_blanks_at_the_ends() -> None:
    stream = StringIO()
    console = output.console(stream)
    words = "word " * 2000
    table = output.table(console, "job", "prompt", flexible=("prompt",))
    table.add_row("1", output.one_line(words))
    output.print_trimmed(console, table)
    head, row = stream.getvalue().splitlines()
    assert head == "job  prompt"
    assert row == f"1    {words.strip()}"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_narrow_terminal_words_go_on_below_and_figures_stay_whole() -> None:
    stream = Terminal()
    console = output.console(stream)
    console.width = 20
    table = output.table(console, "stage", "seconds", wrapped=("stage",))
    table.add_row("image encoder", "  311.8")
    output.print_trimmed(console, table)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()
    assert [line.split() for line in plain] == [["stage", "seconds"], ["image", "311.8"], ["encoder"]]


def test_a_terminal_cuts_the_flexible_column_by_its_width() -> None:
    stream = Terminal()
    console = output.console(stream)
    console.width = 40
    table = output.table(console, "job", "prompt", flexible=("prompt",))
    table.add_row("20261122-7f3kc09q", "海" * 100)
    output.print_trimmed(console, table)
    row = stream.getvalue().splitlines()[1]
    assert row.startswith("20261122-7f3kc09q  海海")
    assert row.endswith("…")
    assert len(row) + row.count("海") <= 40  # each of them is two cells wide


def test_facts_leave_out_what_is_empty() -> None:
    stream = StringIO()
    output.print_facts(output.console(stream), {"prompt": "a\nb", "error": "", "seed": 0})
    assert stream.getvalue().splitlines() == ["  prompt  a b", "  seed    0"]


def test_a_question_without_a_terminal_must_be_answered_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("y\n"))
    assert output.confirmed("Remove it?", yes=True)
    with pytest.raises(InvalidRequestError) as caught:
        output.confirmed("Remove it?", yes=False, flag="--accept-licence")
    assert "--accept-licence" in caught.value.hint
