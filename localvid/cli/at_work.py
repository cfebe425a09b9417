"""What is going on in a workspace, read from its rows, and as lines for a terminal. Draws nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from localvid.cli.output import clock, count, local_time, one_line

if TYPE_CHECKING:
    from rich.text import Text

    from localvid.schemas import Activity, BatchEntry, BatchSummary, Stage
    from localvid.store import Store

_BATCHES = 20
"""So many of the newest are looked at."""
_RECENT = timedelta(days=1)
_FAILURES = 5
"""Of one batch, the latest."""
_SILENT_SECONDS = 60.0
"""A process that has not said anything for so long is said to be silent."""
_NARROWEST, _WIDEST_BAR = 40, 50


class BatchView(NamedTuple):
    """One batch as it stands."""

    summary: BatchSummary
    waiting: dict[Stage, int]
    """Films by the stage that comes next."""
    share_done: float
    """Of the work, 0 to 1."""
    seconds_left: float | None
    failures: list[BatchEntry]


class Overview(NamedTuple):
    """Batches that are not ended or ended lately, the newest first, and what processes do."""

    batches: list[BatchView]
    activities: list[Activity]
    at: datetime

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "batches": [
                {
                    **view.summary.model_dump(mode="json"),
                    "waiting_for": {stage.value: films for stage, films in view.waiting.items()},
                    "share_done": view.share_done,
                    "seconds_left": view.seconds_left,
                    "latest_failures": view.failures,
                }
                for view in self.batches
            ],
            "activities": self.activities,
        }


def look(store: Store) -> Overview:
    """Read it. Where no batch is at work or ended lately, the newest is shown."""
    now = datetime.now(UTC)
    activities = store.activities()
    found = store.list_batches(limit=_BATCHES)
    lately = [one for one in found if one.waiting or now - one.updated_at < _RECENT] or found[:1]
    return Overview([_view(store, summary, activities) for summary in lately], activities, now)


def _view(store: Store, summary: BatchSummary, activities: list[Activity]) -> BatchView:
    from localvid.batch.pace import Pace

    batch = store.get_batch(summary.id)
    waiting: dict[Stage, int] = {}
    for (stage, _model), (films, _units) in batch.waiting().items() if summary.waiting else ():
        waiting[stage] = waiting.get(stage, 0) + films
    at_work = sum(activity.batch_id == summary.id for activity in activities)
    pace = Pace(batch)
    return BatchView(
        summary,
        waiting,
        pace.share_done() if waiting else 1.0,
        pace.seconds_left(num_workers=at_work) if waiting and at_work else None,
        batch.latest_failures(limit=_FAILURES) if summary.failed or waiting else [],
    )


# --- lines ---------------------------------------------------------------------------------------


def lines_of(overview: Overview, *, width: int, utf8: bool) -> list[Text]:
    """The view, each line cut to `width`: batches with their processes, then failures."""
    from rich.text import Text

    if not overview.batches and not overview.activities:
        return [Text("no batch here; `localvid batch FILE` begins one")]
    lines: list[Text] = []
    for view in overview.batches:
        lines += _batch_lines(view, width=min(width, 200), utf8=utf8)
        lines += [
            _activity_line(activity, overview.at)
            for activity in overview.activities
            if activity.batch_id == view.summary.id
        ]
        lines.append(Text())
    shown = {view.summary.id for view in overview.batches}
    lines += [_activity_line(one, overview.at) for one in overview.activities if one.batch_id not in shown]
    failures = [(view, entry) for view in overview.batches for entry in view.failures]
    if failures:
        lines.append(Text("latest failures", style="bold"))
        several = len({view.summary.id for view, _entry in failures}) > 1
        lines += [
            _failure_line(entry, view.summary.id if several else "", utf8=utf8) for view, entry in failures
        ]
    while lines and not lines[-1].plain:
        lines.pop()
    for line in lines:
        line.truncate(width, overflow="ellipsis" if utf8 else "crop")
    return lines


def _batch_lines(view: BatchView, *, width: int, utf8: bool) -> list[Text]:
    from rich.text import Text

    summary = view.summary
    source = "standard input" if summary.source == "-" else one_line(summary.source)
    when = "" if summary.waiting else f"  ended {local_time(summary.updated_at)}"
    room = max(10, width - len(f"batch {summary.id}  {when}"))
    if len(source) > room:  # the end of a path says more than its beginning
        source = f"…{source[1 - room :]}" if utf8 else source[-room:]
    counts = [f"{summary.done}/{summary.num_jobs} done"]
    counts += [f"{summary.failed} failed"] if summary.failed else []
    counts += [f"{summary.cancelled} cancelled"] if summary.cancelled else []
    left = f", about {clock(view.seconds_left)} left" if view.seconds_left is not None else ""
    tail = f"  {view.share_done:4.0%}  {', '.join(counts)}{left}"
    lines = [
        Text.assemble((f"batch {summary.id}", "bold"), f"  {source}", (when, "bright_black")),
        Text.assemble("  ", _bar(view, cells=_cells(width, tail), utf8=utf8), tail),
    ]
    if view.waiting:
        waiting = ", ".join(f"{films} for {stage.value}" for stage, films in view.waiting.items())
        lines.append(Text(f"  waiting: {waiting}"))
    return lines


def _cells(width: int, tail: str) -> int:
    return max(8, min(_WIDEST_BAR, width - len(tail) - 3)) if width >= _NARROWEST else 8


def _bar(view: BatchView, *, cells: int, utf8: bool) -> Text:
    """Done, set aside, what is made of films that are not done, and the rest."""
    from rich.text import Text

    summary = view.summary
    total = max(1, summary.num_jobs)
    ends = (
        summary.done / total,
        (summary.done + summary.failed + summary.cancelled) / total,
        view.share_done,
        1.0,
    )
    full, rest = ("━", "─") if utf8 else ("#", "-")
    marks = ((full, "green"), (full if utf8 else "x", "red"), (full if utf8 else "=", "cyan"))
    bar, filled = Text(), 0
    for share, (mark, style) in zip(ends, (*marks, (rest, "bright_black")), strict=True):
        end = round(cells * share)
        bar.append(mark * (end - filled), style=style)
        filled = max(filled, end)
    return bar


def _activity_line(activity: Activity, now: datetime) -> Text:
    from rich.text import Text

    device = f"gpu {activity.device}" if activity.device.isdigit() else one_line(activity.device) or "worker"
    shot = f", shot {activity.shot}/{activity.num_shots}" if activity.shot else ""
    line = Text.assemble(
        "  ",
        (f"{device:<6}", "bold cyan"),
        f" {activity.overall:4.0%}  film {activity.number}  {activity.stage.value}{shot}",
    )
    silent = (now - activity.seen_at).total_seconds()
    message = one_line(activity.message).removesuffix(f" shot {activity.shot}")
    if silent > _SILENT_SECONDS:
        line.append(f": nothing heard for {clock(silent)}", style="yellow")
    elif message:
        line.append(f": {message}")
    return line


def _failure_line(entry: BatchEntry, batch_id: str, *, utf8: bool) -> Text:
    from rich.text import Text

    from localvid.schemas import EntryState

    of = f" of {batch_id}" if batch_id else ""
    which = f"film {entry.number}{of} (line {entry.line}), {entry.stage.value}"
    if entry.state is EntryState.WAITING:
        again = f", again at {_clock_time(entry.not_before)}" if entry.not_before else ""
        mark = ("  ↻ " if utf8 else "  ~ ", "bold yellow")
        which += f", {count(entry.attempts, 'attempt')} failed{again}"
    else:
        mark = ("  ✗ " if utf8 else "  x ", "bold red")
        which += f", {count(entry.attempts, 'attempt')}" if entry.attempts > 1 else ""
    return Text.assemble(mark, f"{which}: {one_line(entry.error)}")


def _clock_time(moment: datetime) -> str:
    return moment.astimezone().strftime("%H:%M")
