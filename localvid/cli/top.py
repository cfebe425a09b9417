"""The command `top`: every batch, every process at work and the latest failures, while they change."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

from localvid.cli import output
from localvid.cli.options import Json, Workspace, option

if TYPE_CHECKING:
    from localvid.store import Store

_REFRESHES_A_SECOND = 2


def top(
    once: Annotated[bool, option("--once", help="Print it once and end.")] = False,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Watch batches and what every process does.

    From any terminal, at any time; Ctrl-C ends it, and nothing but it. Without a terminal it prints once.
    """
    from localvid.cli.at_work import look
    from localvid.config import load_settings
    from localvid.store import Store

    with Store(load_settings(workspace=workspace).workspace) as store:
        if as_json:
            output.print_json(look(store).document())
        elif once or not _can_draw():
            _print_once(store)
        else:
            _watch(store)


def _can_draw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


def _print_once(store: Store) -> None:
    from localvid.cli.at_work import lines_of, look

    console = output.console()
    utf8 = console.encoding.lower().startswith("utf")
    for line in lines_of(look(store), width=console.width, utf8=utf8):
        console.print(line, no_wrap=True, overflow="ellipsis" if sys.stdout.isatty() else "ignore")


def _watch(store: Store) -> None:
    """Draw until Ctrl-C, on the terminal's other screen: what was there before comes back."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    from localvid.cli.at_work import lines_of, look

    console = Console(highlight=False, markup=False, emoji=False)
    utf8 = console.encoding.lower().startswith("utf")

    def drawn() -> Group:
        lines = lines_of(look(store), width=console.width, utf8=utf8)
        room = max(1, console.height - 2)
        if len(lines) > room:
            lines = [
                *lines[: room - 1],
                Text(f"and {len(lines) - room + 1} lines more", style="bright_black"),
            ]
        return Group(*lines, Text(), Text("Ctrl-C ends this view, not the work", style="bright_black"))

    try:
        with Live(drawn(), console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(1 / _REFRESHES_A_SECOND)
                live.update(drawn(), refresh=True)
    except KeyboardInterrupt:
        return
