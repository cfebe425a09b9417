"""The commands about models: list-models, pull."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output
from localvid.cli.options import Device, Json, Quiet, Workspace, option

if TYPE_CHECKING:
    from rich.console import Console

    from localvid.schemas import ModelInfo, OnProgress, Progress


def list_models(as_json: Json = False, device: Device = None, workspace: Workspace = None) -> None:
    """List models, and which of them run here.

    Of those that do not, why, and what to do about it.
    """
    from localvid import registry
    from localvid.config import load_settings

    infos = registry.list_models(load_settings(workspace=workspace, device=device))
    if as_json:
        output.print_json(infos)
        return
    console = output.console()
    for number, (kind, group) in enumerate(groupby(infos, key=lambda info: info.manifest.kind)):
        if number:
            console.print()
        console.print(f"{kind.value} models", style="bold")
        for info in group:
            _print_model(console, info)
    output.print_hanging(console, "models on servers write storyboards too, when named:", indent=2)
    output.print_hanging(console, "--llm openai:MODEL, --llm anthropic:MODEL (docs/director.md)", indent=4)


def pull(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", show_default=False, help="As localvid list-models names it.")
    ],
    accept_licence: Annotated[
        bool, option("--accept-licence", help="Do not ask: the licence is accepted.")
    ] = False,
    quiet: Quiet = False,
    workspace: Workspace = None,
) -> None:
    """Download a model's weights, licence first.

    A download that was stopped goes on from where it was. Every file is verified. The weights lie in the
    Hugging Face cache, which other programs share.
    """
    from localvid import download, registry
    from localvid.config import load_settings

    settings = load_settings(workspace=workspace)
    manifest = registry.get_model(model, settings).manifest
    if manifest.repo is not None:
        print(download.licence_text(manifest), file=sys.stderr)
        size = f" ({output.byte_size(manifest.total_bytes)})" if manifest.total_bytes else ""
        accept_licence = output.confirmed(
            f"Accept the licence and download it{size}?", yes=accept_licence, flag="--accept-licence"
        )
    with _byte_display(quiet=quiet) as on_progress:
        folder = download.pull(manifest, settings, accept_licence=accept_licence, on_progress=on_progress)
    print(folder)


# --- printing ------------------------------------------------------------------------------------


def _print_model(console: Console, info: ModelInfo) -> None:
    from rich.text import Text

    manifest = info.manifest
    mark = ("✓", "bold green") if info.available else ("✗", "bold red")
    size = output.byte_size(manifest.total_bytes) if manifest.total_bytes else "no weights"
    if manifest.price is not None:
        size = f"at {manifest.host}, about {manifest.price}"
    console.print(Text.assemble("  ", mark, " ", (manifest.id, "bold"), f"  {manifest.title}"))
    output.print_hanging(console, f"{size}, {manifest.licence}", indent=4)
    if info.reason:
        output.print_hanging(console, info.reason, indent=4)
        output.print_hanging(console, f"→ {info.remedy}", indent=4)


# --- downloads -----------------------------------------------------------------------------------


@contextmanager
def _byte_display(*, quiet: bool) -> Iterator[OnProgress]:
    """A bar of bytes on a terminal; elsewhere a line for each tenth and each new message."""
    from localvid.schemas import ignore_progress

    if quiet:
        yield ignore_progress
    elif not sys.stderr.isatty():
        yield _byte_lines()
    else:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.table import Column

        message = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True), markup=False)
        columns = (message, BarColumn(20), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda report: bar.update(
                task,
                description=output.one_line(report.message),
                total=report.num_steps or None,
                completed=report.step,
            )


def _byte_lines() -> OnProgress:
    said: tuple[str, int] = ("", -1)

    def report(progress: Progress) -> None:
        nonlocal said
        now = (progress.message, int(progress.fraction * 10))
        if now != said:
            said = now
            print(
                f"{progress.fraction:4.0%} {output.one_line(progress.message)}", file=sys.stderr, flush=True
            )

    return report
