"""The commands about models: list-models, pull."""

from __future__ import annotations

import sys
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output
from localvid.cli.byte_progress import byte_progress
from localvid.cli.options import Device, Json, Quiet, Workspace, option, settings_with

if TYPE_CHECKING:
    from rich.console import Console

    from localvid.schemas import ModelInfo


def list_models(as_json: Json = False, device: Device = None, workspace: Workspace = None) -> None:
    """List models, and which of them run here.

    Of those that do not, why, and what to do about it.
    """
    from localvid import registry

    infos = registry.list_models(settings_with(workspace=workspace, device=device))
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
    with byte_progress(quiet=quiet) as on_progress:
        folder = download.pull(manifest, settings, accept_licence=accept_licence, on_progress=on_progress)
    print(folder)


# --- printing ------------------------------------------------------------------------------------


def _print_model(console: Console, info: ModelInfo) -> None:
    from rich.text import Text

    manifest = info.manifest
    mark = ("✓", "bold green") if info.available else ("✗", "bold red")
    size = "weights of unknown size" if manifest.files else "no weights"
    if manifest.total_bytes:
        size = output.byte_size(manifest.total_bytes)
    if manifest.price is not None:
        size = f"at {manifest.host}, about {manifest.price}"
    console.print(Text.assemble("  ", mark, " ", (manifest.id, "bold"), f"  {manifest.title}"))
    output.print_hanging(console, f"{size}, {manifest.licence}", indent=4)
    if info.reason:
        output.print_hanging(console, info.reason, indent=4)
        output.print_hanging(console, f"→ {info.remedy}", indent=4)
