"""The commands, in the order in which `localvid --help` lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from typer.main import get_command

from localvid import __version__
from localvid.cli import batch, films, info, jobs, models, plan, report, top, upkeep

if TYPE_CHECKING:
    from typer._click import Command

COMMANDS: dict[str, Callable[..., None]] = {
    "generate": films.generate,
    "storyboard": films.storyboard,
    "render": films.render,
    "batch": batch.batch,
    "plan": plan.plan,
    "report": report.report,
    "top": top.top,
    "redo": jobs.redo,
    "resume": jobs.resume,
    "cancel": jobs.cancel,
    "list-jobs": jobs.list_jobs,
    "get-job": jobs.get_job,
    "delete-job": jobs.delete_job,
    "list-models": models.list_models,
    "pull": models.pull,
    "doctor": upkeep.doctor,
    "clean": upkeep.clean,
    "fsck": upkeep.fsck,
    "info": info.info,
}


def command(name: str) -> Command:
    """One command, parsed and run as `localvid NAME`."""
    app = _typer()
    app.command(name)(COMMANDS[name])
    return get_command(app)


def overview() -> Command:
    """What answers where no command is named: the help, the version, and names that are no command.

    It lists the commands without their options: to inspect them all takes longer than all the rest.
    """
    app = _typer()
    app.callback(invoke_without_command=True)(_localvid)
    for name, function in COMMANDS.items():
        app.command(name, help=function.__doc__)(_never_called)
    return get_command(app)


def _typer() -> typer.Typer:
    # rich would draw boxes around the help and take longer to import than all the rest; the options that
    # install completion make typer import pydantic for every help.
    return typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)


def _never_called() -> None:
    raise AssertionError("a command is run by itself, not from the overview")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"localvid {__version__}")
        raise typer.Exit


def _localvid(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """One prompt becomes a film on your own machine.

    localvid generate "A peaceful forest at dawn" --output forest.mp4

    localvid COMMAND --help shows what a command takes.
    """
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)
