"""The commands about this installation: doctor, clean."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output
from localvid.cli.options import Device, Json, Workspace, Yes, option

if TYPE_CHECKING:
    from localvid.store import Cleaned, Usage

_MARKS = {"ok": ("✓", "bold green"), "warn": ("!", "bold yellow"), "fail": ("✗", "bold red")}


def doctor(as_json: Json = False, device: Device = None, workspace: Workspace = None) -> None:
    """Check whether localvid can run here.

    The exit code is 1 if something must be mended before a film can be made.
    """
    from localvid.config import load_settings
    from localvid.doctor import Level, diagnose

    findings = diagnose(load_settings(workspace=workspace, device=device))
    if as_json:
        output.print_json(findings)
    else:
        from rich.text import Text

        console = output.console()
        for finding in findings:
            console.print(Text.assemble(_MARKS[finding.level.value], " ", (finding.name, "bold")))
            output.print_hanging(console, finding.detail, indent=2)
            if finding.remedy:
                output.print_hanging(console, f"→ {finding.remedy}", indent=2)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


def clean(
    dry_run: Annotated[bool, option("--dry-run", help="Show what would go; remove nothing.")] = False,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than",
            metavar="DAYS",
            min=0,
            max=36_500,
            show_default=False,
            help="Also what films were made of that were done so long ago; the films stay.",
        ),
    ] = None,
    everything_unused: Annotated[
        bool,
        option("--everything-unused", help="Also what any job was made of that no process works on."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Show disk usage; remove what no job needs.

    Films are never removed. What is removed is made anew if a job that needs it is resumed or changed.
    """
    from localvid.config import load_settings
    from localvid.store import Store

    age = None if older_than is None else timedelta(days=older_than)
    with Store(load_settings(workspace=workspace).workspace) as store:
        usage = store.usage()
        doomed = store.clean(dry_run=True, older_than=age, everything_unused=everything_unused)
        if not as_json:
            _print_usage(usage, doomed)
        if dry_run or not doomed.total_bytes:
            cleaned = doomed
        elif output.confirmed(f"Remove {output.byte_size(doomed.total_bytes)}?", yes=yes):
            cleaned = store.clean(older_than=age, everything_unused=everything_unused)
        else:
            output.print_notice("nothing was removed")
            return
    if as_json:
        output.print_json({"usage": usage, "cleaned": cleaned})
    elif not cleaned.dry_run:
        print(f"removed {output.byte_size(cleaned.total_bytes)}")


def _print_usage(usage: Usage, doomed: Cleaned) -> None:
    console = output.console()
    table = output.table(console, "in the workspace", "files", "size")
    for column in table.columns[1:]:
        column.justify = "right"
    kinds = {kind.replace("_", " "): amount for kind, amount in usage.artifacts.items()}
    rows = {
        **kinds,
        "films (yours)": usage.films,
        "images (yours)": usage.images,
        "temporary": usage.temporary,
        "database": usage.database,
    }
    for name, amount in rows.items():
        table.add_row(name, str(amount.count), output.byte_size(amount.bytes))
    table.add_row("all", "", output.byte_size(usage.total_bytes), style="bold")
    output.print_trimmed(console, table)
    freed = output.byte_size(doomed.total_bytes)
    console.print(
        f"{output.count(usage.jobs, 'job')}; {freed} can go" if doomed.total_bytes else "nothing to remove"
    )
