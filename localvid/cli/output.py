"""What the command line prints: errors, JSON, tables, and values as people read them.

Everything that a person, a model or a file said is printed through `one_line`, so that no prompt and no
path can move the cursor or add lines.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    import typer
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_UNCUT_WIDTH = 100_000
"""Of a pipe or a file: nothing is cut there."""


# --- errors --------------------------------------------------------------------------------------


def print_error(message: str, hint: str = "", *, stopped: bool = False) -> None:
    """`error: …` and, where there is one, `hint: …`, each one line, on standard error.

    What was `stopped` on purpose is no error: its line is the message alone.
    """
    prefix = "" if stopped else f"{_styled('error:', '31')} "
    print(f"{prefix}{one_line(message)}", file=sys.stderr)
    if hint:
        print(f"{_styled('hint:', '36')} {one_line(hint)}", file=sys.stderr)


def print_usage_error(error: typer.TyperException, command: str) -> None:
    """What is wrong with the command line itself, as one line and a hint."""
    message = error.format_message().rstrip(".")
    print_error(message[:1].lower() + message[1:], f"{command} --help")


def print_notice(message: str) -> None:
    """One line on standard error that the user should know."""
    print(f"{_styled('note:', '36')} {one_line(message)}", file=sys.stderr)


def with_workspace(text: str, workspace: Path | str | None) -> str:
    """The text with every command in it naming the workspace that this command line named, if it did."""
    if workspace is None:
        return text
    flag = f"--workspace {shlex.quote(str(workspace))}"
    return _COMMAND_IN_TEXT.sub(lambda found: f"{found[0]} {flag}", text)


def workspace_flag(arguments: Sequence[str]) -> str | None:
    """The value of `--workspace`, where it is given."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    for index, argument in enumerate(options):
        if argument.startswith("--workspace="):
            return argument.partition("=")[2]
        if argument == "--workspace" and index + 1 < len(options):
            return options[index + 1]
    return None


_COMMAND_IN_TEXT = re.compile(
    r"\blocalvid (?:clean|fsck|resume|redo|cancel|list-jobs|get-job|delete-job|render|generate)\b"
)


def _styled(text: str, code: str) -> str:
    plain = not sys.stderr.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return text if plain else f"\x1b[1;{code}m{text}\x1b[0m"


# --- streams -------------------------------------------------------------------------------------


class StandardOutputError(Exception):
    """The standard output cannot be written; its text is the system's reason. A broken pipe is none."""


@contextmanager
def telling_of_output() -> Iterator[None]:
    """Within the block, what cannot be written to the standard output is StandardOutputError: an OSError does
    not tell which file it is of."""
    with redirect_stdout(cast("TextIO", _StandardOutput(sys.stdout))):
        yield


class _StandardOutput:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _system_errors_told():
            return self._stream.write(text)

    def flush(self) -> None:
        with _system_errors_told():
            self._stream.flush()


@contextmanager
def _system_errors_told() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StandardOutputError(error.strerror or str(error)) from error


def open_closed_streams() -> None:
    """Where one of the standard streams is closed (`localvid list-jobs >&-`), let it be the null device."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # it stays open


def accept_any_text() -> None:
    """Print a replacement where the terminal's encoding lacks a character, in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def console(stream: TextIO | None = None) -> Console:
    """A console on the standard output, as wide as its terminal, or uncut where there is none."""
    from rich.console import Console

    stream = stream or sys.stdout
    return Console(
        file=stream,
        width=None if stream.isatty() else _UNCUT_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def print_json(document: Any) -> None:
    """A JSON document on the standard output: pydantic models, paths and times become JSON's types."""
    print(json.dumps(document, default=_as_json, ensure_ascii=False, indent=2))


def _as_json(value: Any) -> Any:
    from pydantic import BaseModel

    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def table(
    console: Console, *columns: str, flexible: Sequence[str] = (), wrapped: Sequence[str] = ()
) -> Table:
    """An empty table without lines. On a terminal the `flexible` columns share what width the others leave,
    and are cut there. The `wrapped` ones give way first where it is too narrow for all: they go on below."""
    from rich.table import Table

    expand = bool(flexible) and console.width < _UNCUT_WIDTH
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", expand=expand)
    for name in columns:
        made.add_column(
            name,
            no_wrap=name not in wrapped,
            overflow="ellipsis",
            ratio=1 if expand and name in flexible else None,
        )
    return made


def print_facts(console: Console, facts: Mapping[str, Any]) -> None:
    """Names and values, one below the other; a long value goes on under itself, an empty one is left out."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for name, value in facts.items():
        text = one_line(value)
        if text:
            shown.add_row(Text(f"  {name}", style="bright_black"), text)
    print_trimmed(console, shown)


def print_trimmed(console: Console, shown: Table) -> None:
    """A table without the blanks at the ends of its lines."""
    with console.capture() as capture:
        console.print(shown)
    console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))


def print_hanging(console: Console, text: str, *, indent: int, mark: Text | str = "") -> None:
    """A text, after a mark, that goes on under itself where it is longer than a line."""
    from rich.table import Table
    from rich.text import Text

    shown = Table.grid()
    shown.add_column(width=indent, no_wrap=True)
    shown.add_column(overflow="fold")
    shown.add_row(mark, Text(one_line(text)))
    print_trimmed(console, shown)


# --- values --------------------------------------------------------------------------------------


def one_line(text: object) -> str:
    """The text without line breaks and control characters, in any script."""
    from localvid.schemas import clean_prompt

    return clean_prompt(str(text))


def byte_size(number: int) -> str:
    """1.2 MB, 9.6 GB: decimal units, as file managers and model hubs show them."""
    if number < 1000:
        return f"{number} B"
    size = float(number)
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 999.5:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} TB"


def clock(seconds: float) -> str:
    """0:09, 12:30, 1:02:03."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def local_time(moment: datetime) -> str:
    """2026-01-31 16:04, in the time zone of this machine."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def short_path(path: Path) -> str:
    """The path from the current folder where it lies within it, else from home, else as it is."""
    for base, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(base):
            return prefix + str(path.relative_to(base))
    return str(path)


def count(number: int, noun: str) -> str:
    """1 shot, 2 shots."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


# --- questions -----------------------------------------------------------------------------------


def confirmed(question: str, *, yes: bool, flag: str = "--yes") -> bool:
    """Whether the user agrees; without a terminal to ask on, `flag` must have said so.

    Raises InvalidRequestError where nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        from localvid.errors import InvalidRequestError

        raise InvalidRequestError("there is no terminal to ask on", hint=f"{flag} agrees beforehand")
    import typer

    return typer.confirm(question, err=True)
