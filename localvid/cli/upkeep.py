"""The commands about this installation: doctor, clean, fsck."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from localvid.cli import output
from localvid.cli.byte_progress import byte_progress
from localvid.cli.options import Device, Json, Quiet, Workspace, Yes, option, settings_with, size_option

if TYPE_CHECKING:
    from pathlib import Path

    from localvid.store import Checked, Cleaned, Usage

_MARKS = {"ok": ("✓", "bold green"), "warn": ("!", "bold yellow"), "fail": ("✗", "bold red")}
_SEVERITY_MARKS = {"note": ("·", "bold"), "warning": _MARKS["warn"], "error": _MARKS["fail"]}


def doctor(as_json: Json = False, device: Device = None, workspace: Workspace = None) -> None:
    """Check whether localvid can run here.

    The exit code is 1 if something must be mended before a film can be made.
    """
    from localvid.doctor import Level, diagnose

    findings = diagnose(settings_with(workspace=workspace, device=device))
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
    quota: Annotated[
        int | None,
        size_option(
            "--quota",
            help="Also what was used longest ago, until all is within it, such as 20GiB; else quota_gib.",
        ),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    workspace: Workspace = None,
) -> None:
    """Show disk usage; remove what no job needs.

    Films are never removed. What is removed is made anew if a job that needs it is resumed or changed. The
    exit code is 1 if the workspace cannot be brought within the quota.
    """
    from localvid.config import load_settings
    from localvid.store import Store

    settings = load_settings(workspace=workspace)
    if quota is None and settings.quota_gib is not None:
        quota = int(settings.quota_gib * 2**30)
    age = None if older_than is None else timedelta(days=older_than)
    with Store(settings.workspace) as store:
        usage = store.usage()
        doomed = store.clean(
            dry_run=True, older_than=age, everything_unused=everything_unused, quota_bytes=quota
        )
        if not as_json:
            _print_usage(usage, doomed)
        if dry_run or not doomed.total_bytes:
            cleaned = doomed
        elif output.confirmed(f"Remove {output.byte_size(doomed.total_bytes)}?", yes=yes):
            cleaned = store.clean(older_than=age, everything_unused=everything_unused, quota_bytes=quota)
        else:
            output.print_notice("nothing was removed")
            return
    if as_json:
        output.print_json({"usage": usage, "cleaned": cleaned})
    elif not cleaned.dry_run:
        print(f"removed {output.byte_size(cleaned.total_bytes)}")
    if cleaned.over_quota_bytes:
        output.print_notice(
            f"{output.byte_size(cleaned.over_quota_bytes)} more than the quota must stay: films, images, the "
            "database, and what running jobs refer to; `localvid delete-job` removes a job with its film"
        )
        raise typer.Exit(1)


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


def fsck(
    read_data: Annotated[
        bool, option("--read-data", help="Read every byte of every artifact, and compare its sha256.")
    ] = False,
    repair: Annotated[
        bool, option("--repair", help="Mend what is safe to mend; films and running jobs are left alone.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    workspace: Workspace = None,
) -> None:
    """Check every row and every artifact.

    Says what is wrong and what to do about it; changes nothing unless --repair is given. Jobs may run
    meanwhile. The exit code is 1 if something is left to be done.
    """
    from localvid.config import load_settings
    from localvid.store import check_workspace

    place = load_settings(workspace=workspace).workspace
    with byte_progress(quiet=quiet or not read_data) as on_progress:
        checked = check_workspace(place, read_data=read_data, on_progress=on_progress)
    if repair and any(finding.mendable for finding in checked.findings):
        checked = _mended(checked)
    if as_json:
        output.print_json({**checked.model_dump(mode="json"), "healthy": checked.healthy})
    else:
        _print_checked(checked, workspace, quiet=quiet)
    if not checked.healthy:
        raise typer.Exit(1)


def _mended(checked: Checked) -> Checked:
    from localvid.store import Store

    with Store(checked.workspace) as store:
        findings = tuple(store.mend(finding) for finding in checked.findings)
    return checked.model_copy(update={"findings": findings})


def _print_checked(checked: Checked, workspace: Path | None, *, quiet: bool) -> None:
    from rich.text import Text

    console = output.console()
    for finding in checked.findings:
        mark = _MARKS["ok"] if finding.mended else _SEVERITY_MARKS[finding.severity.value]
        place = output.short_path(finding.path) if finding.path else finding.subject
        console.print(Text.assemble(mark, " ", (output.one_line(place), "bold")))
        output.print_hanging(console, finding.detail, indent=2)
        todo = finding.mended or output.with_workspace(finding.remedy, workspace)
        output.print_hanging(console, f"→ {todo}", indent=2)
    if not quiet:
        console.print(_verdict(checked))


def _verdict(checked: Checked) -> str:
    from localvid.store import Fault, Severity

    looked_at = (
        f"{output.count(checked.jobs, 'job')}, {output.count(checked.artifacts.count, 'artifact')} "
        f"({output.byte_size(checked.artifacts.bytes)}{', every byte read' if checked.read_data else ''})"
    )
    if any(finding.fault is Fault.DATABASE for finding in checked.findings):
        looked_at = "rows and files were not checked"
    left = Counter(finding.severity for finding in checked.findings if not finding.mended)
    severities = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
    counts = [output.count(left[severity], severity.value) for severity in severities if left[severity]]
    mended = len(checked.findings) - left.total()
    counts += [f"{mended} mended"] if mended else []
    return f"{looked_at}: {', '.join(counts) or 'all is well'}"
