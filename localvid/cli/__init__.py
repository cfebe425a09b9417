"""The command line: parses, calls the library, draws progress and prints. It decides nothing itself.

Results go to the standard output, everything else to standard error. This is the only place that catches
LocalvidError: one line, a hint and an exit code. Modules here import what is heavy inside of the commands,
so that `localvid --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import typer

from localvid.cli import output, signals
from localvid.cli.app import COMMANDS, command, overview
from localvid.errors import LocalvidError, StoppedError

__all__ = ["main", "run"]

_PROGRAM = "localvid"


def main() -> None:
    """The entry point of the program `localvid`."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 wrong use, 3 not available here, 130
    interrupted."""
    output.open_closed_streams()
    output.accept_any_text()
    arguments = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    try:
        with output.telling_of_output():
            with signals.interrupting():
                code = _dispatch(arguments)
            sys.stdout.flush()
    except LocalvidError as error:
        hint = output.with_workspace(error.hint, output.workspace_flag(arguments))
        output.print_error(error.message, hint, stopped=isinstance(error, StoppedError))
        return error.exit_code
    except typer.TyperException as error:
        output.print_usage_error(error, _called(arguments))
        return 2
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except BrokenPipeError:
        _close_standard_output()
        return 1
    except output.StandardOutputError as error:
        _close_standard_output()
        output.print_error(
            f"the standard output cannot be written: {error}",
            "send it elsewhere, or free some space there",
        )
        return 1
    if code == 130:
        output.print_error("interrupted", stopped=True)
    return code


def _dispatch(arguments: list[str]) -> int:
    called = _called(arguments)
    if called == _PROGRAM:
        code = overview().main(arguments, prog_name=called, standalone_mode=False)
    else:
        name, *rest = arguments
        code = command(name).main(rest, prog_name=called, standalone_mode=False)
    return code if isinstance(code, int) else 0


def _called(arguments: list[str]) -> str:
    """`localvid NAME`, or without a command `localvid`."""
    return f"{_PROGRAM} {arguments[0]}" if arguments and arguments[0] in COMMANDS else _PROGRAM


def _close_standard_output() -> None:
    """Nobody reads it any more (`localvid list-jobs | head -1`), or its disk is full: let the interpreter's
    last flush succeed."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
