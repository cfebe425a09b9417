"""The report as one page of HTML: pictures within it, nothing loaded from anywhere, no script.

It comes in pieces, a film each, so that the pictures of one film at a time are held.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from urllib.parse import quote

from localvid.batch_report.document import BatchReport, FilmReport
from localvid.batch_report.pictures import Still
from localvid.batch_report.style import STYLE
from localvid.schemas import EntryState, clean_prompt, usd

ALL_SHOWN = 200
"""Up to so many films all are shown with pictures; of more, half as many of those that failed and half as
many of the others. The rest are rows of tables."""
_PROMPT_CHARACTERS = 300
_PATH_CHARACTERS = 120
_MOST_MISSING = 6

_BAD = (EntryState.FAILED, EntryState.CANCELLED)


def page_of(
    report: BatchReport, stills: Callable[[FilmReport], Sequence[Still]], *, folder: Path
) -> Iterator[str]:
    """The page in pieces. `stills` gives a film's pictures, and is asked for one film after the other;
    `folder` is where the page will lie, for its links to the films."""
    shown = _shown(report.films)
    yield _head(report)
    yield from _failures([film for film in report.films if film.state in _BAD], shown)
    if report.films:
        yield _films_heading(report, shown)
        for film in report.films:
            if film.number in shown:
                yield _card(film, stills(film), folder)
        yield "</ol>\n</section>\n"
    rest = [film for film in report.films if film.number not in shown and film.state not in _BAD]
    if rest:
        yield from _rest(rest, folder)
    yield (
        f'<footer><p class="faint">Made by localvid {escape(report.localvid)}. <code>report.json</code> '
        "beside this page has every prompt, error and time in full.</p></footer>\n</main>\n</body>\n</html>\n"
    )


def _shown(films: Sequence[FilmReport]) -> frozenset[int]:
    """Numbers of the films that get pictures."""
    if len(films) <= ALL_SHOWN:
        return frozenset(film.number for film in films)
    bad = [film.number for film in films if film.state in _BAD][: ALL_SHOWN // 2]
    good = [film.number for film in films if film.state not in _BAD][: ALL_SHOWN // 2]
    return frozenset((*bad, *good))


# --- the head ------------------------------------------------------------------------------------


def _head(report: BatchReport) -> str:
    name = "the standard input" if report.source == "-" else Path(report.source).name
    title = _text(f"Batch of {name}")
    tally = _tally(report)
    facts = {
        "batch": report.id,
        "file": report.source if report.source != "-" else "",
        "began": _time(report.created_at),
        "ended": _time(report.ended_at) if report.ended_at else "not yet: films still wait",
        "took": _clock(report.wall_seconds),
        "work on films": _clock(report.work_seconds),
        "length of all films": _clock(report.film_seconds) if report.done else "",
        "most memory": _memory(report),
        "paid to hosts": f"about {usd(report.cost_usd)}" if report.cost_usd else "",
    }
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="generator" content="localvid">
<title>{title}: {escape(tally)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<header>
<h1 dir="auto">{title}</h1>
<p class="tally">{escape(tally)}</p>
{_bar(report)}
{_facts(facts)}
</header>
"""


def _tally(report: BatchReport) -> str:
    parts = [f"{report.done} of {_count(report.num_films, 'film')} done"]
    for state in (EntryState.FAILED, EntryState.CANCELLED, EntryState.WAITING):
        number = getattr(report, state.value)
        if number:
            parts.append(f"{number} {state.value}")
    return ", ".join(parts)


def _bar(report: BatchReport) -> str:
    """What the line above it says, as lengths."""
    parts = "".join(
        f'<i class="{state.value}" style="flex-grow:{number}"></i>'
        for state in (EntryState.DONE, EntryState.FAILED, EntryState.CANCELLED, EntryState.WAITING)
        if (number := getattr(report, state.value))
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div>'


# --- what failed ---------------------------------------------------------------------------------


def _failures(films: Sequence[FilmReport], shown: frozenset[int]) -> Iterator[str]:
    if not films:
        return
    yield _table_head("failed", "What failed", ("film", "why", "prompt", "stage", "tries", "line"))
    for film in films:
        number = f'<a href="#film-{film.number}">{film.number}</a>' if film.number in shown else film.number
        hint = f'<p class="faint">{_text(film.hint)}</p>' if film.hint else ""
        why = _text(film.error) or film.state.value
        yield (
            f'<tr><th scope="row">{number}</th><td class="long">{why}{hint}</td>'
            f'<td class="long" dir="auto">{_prompt(film, 120)}</td><td>{film.stage.value}</td>'
            f"<td>{film.attempts or ''}</td><td>{film.line}</td></tr>\n"
        )
    yield "</tbody>\n</table></div>\n</section>\n"


# --- films with pictures -------------------------------------------------------------------------


def _films_heading(report: BatchReport, shown: frozenset[int]) -> str:
    said = ""
    if len(shown) < report.num_films:
        said = (
            f'<p class="faint">Pictures are shown of {len(shown)} of {report.num_films} films: of the first '
            f"{ALL_SHOWN // 2} that failed and the first {ALL_SHOWN // 2} others. "
            "The rest are rows of the tables.</p>\n"
        )
    return f'<section aria-labelledby="films">\n<h2 id="films">Films</h2>\n{said}<ol class="films">\n'


def _card(film: FilmReport, stills: Sequence[Still], folder: Path) -> str:
    pictures = "".join(
        f'<img src="{still.uri}" width="{still.width}" height="{still.height}" alt="{escape(still.said)}">'
        for still in stills
    )
    shown = f'<div class="stills">{pictures}</div>\n' if pictures else ""
    titled = f": {_text(film.title)}" if film.title and film.title != film.prompt else ""
    notices = "".join(f"<li>{_text(notice)}</li>" for notice in film.notices)
    noted = f'<h4>Notes</h4>\n<ul class="notes">{notices}</ul>\n' if notices else ""
    error = f'<p class="error">{_text(film.error)}</p>\n' if film.error else ""
    hint = f'<p class="faint">{_text(film.hint)}</p>\n' if film.hint else ""
    return f"""<li id="film-{film.number}" class="{film.state.value}">
<article>
{shown}<h3>Film {film.number}<bdi>{titled}</bdi> {_state(film)}</h3>
<p dir="auto">{_prompt(film, _PROMPT_CHARACTERS)}</p>
{error}{hint}{_facts(_film_facts(film), links={"film": _link(film, folder)})}
{noted}</article>
</li>
"""


def _film_facts(film: FilmReport) -> dict[str, str]:
    done = film.state is EntryState.DONE
    again = f", tried again from {_time(film.not_before)}" if film.not_before else ""
    tries = f"failed {_count(film.attempts, 'time')}" if film.attempts else ""
    return {
        "film": "" if film.video or not done else f"gone: {_missing(film.missing)}",
        "video": _video(film),
        "stands at": "" if done else f"{film.stage.value}{again}",
        "tries": "" if done else tries,
        "still to make": "" if done else _missing(film.missing),
        "work": _clock(film.seconds) if film.seconds else "",
        "memory": _memory(film),
        "paid": f"about {usd(film.cost_usd)}" if film.cost_usd else "",
        "model": film.model,
        "job": film.job_id,
        "line": str(film.line),
    }


def _video(film: FilmReport) -> str:
    video = film.video
    if video is None:
        return ""
    return (
        f"{video.duration_seconds:.1f} s, {video.width}x{video.height}, {video.fps:g} fps, "
        f"{video.bytes / 1e6:.1f} MB"
    )


def _missing(labels: Sequence[str]) -> str:
    """What is still to be made; what is said of several shots in the same words is counted."""
    counted = [f"{label} ({number})" if number > 1 else label for label, number in Counter(labels).items()]
    more = f" and {len(counted) - _MOST_MISSING} more" if len(counted) > _MOST_MISSING else ""
    return ", ".join(counted[:_MOST_MISSING]) + more


# --- the others ----------------------------------------------------------------------------------


def _rest(films: Sequence[FilmReport], folder: Path) -> Iterator[str]:
    yield _table_head(
        "others", "The other films", ("film", "state", "prompt", "video", "work", "memory", "notes")
    )
    for film in films:
        gone = f"gone: {_text(_missing(film.missing))}" if film.state is EntryState.DONE else ""
        video = f"{_video(film)} {_link(film, folder)}" if film.video else gone
        notes = _text("; ".join(filter(None, (film.error, *film.notices))), 200)
        yield (
            f'<tr><th scope="row">{film.number}</th><td>{_state(film)}</td>'
            f'<td class="long" dir="auto">{_prompt(film, 80)}</td><td class="long">{video}</td>'
            f'<td>{_clock(film.seconds)}</td><td>{_memory(film)}</td><td class="long">{notes}</td></tr>\n'
        )
    yield "</tbody>\n</table></div>\n</section>\n"


# --- pieces --------------------------------------------------------------------------------------


def _table_head(name: str, title: str, columns: Sequence[str]) -> str:
    """A table that scrolls by itself where the screen is narrow, also by the keyboard."""
    headers = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}"><table>\n'
        f"<thead><tr>{headers}</tr></thead>\n<tbody>\n"
    )


def _facts(facts: dict[str, str], *, links: dict[str, str] | None = None) -> str:
    rows = "".join(
        f"<div><dt>{name}</dt><dd>{link or _text(value)}</dd></div>"
        for name, value in facts.items()
        if (link := (links or {}).get(name)) or value
    )
    return f"<dl>{rows}</dl>"


def _state(film: FilmReport) -> str:
    return f'<span class="state {film.state.value}">{film.state.value}</span>'


def _prompt(film: FilmReport, most: int) -> str:
    return f"<bdi>{_text(film.prompt or film.title, most)}</bdi>"


def _link(film: FilmReport, folder: Path) -> str:
    """The film's path as a link that opens it, from where the page lies; empty where the file is gone."""
    if film.video is None or film.output is None:
        return ""
    # A colon is escaped, so that no name is taken for a scheme.
    target = quote(os.fsencode(os.path.relpath(film.output, folder)))
    path = str(film.output)
    shown = path if len(path) <= _PATH_CHARACTERS else f"…{path[-_PATH_CHARACTERS:]}"
    return f'<a href="{target}">{_text(shown)}</a>'


def _text(text: str, most: int | None = None) -> str:
    """Words from outside, as text that can be nothing else; cut where they are longer than `most`."""
    words = clean_prompt(text)
    if most is not None and len(words) > most:
        words = words[: most - 1].rstrip(" .,;:") + "…"
    return escape(words)


def _clock(seconds: float) -> str:
    """9 s, 12 min 30 s, 1 h 2 min."""
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _memory(taken: FilmReport | BatchReport) -> str:
    """1.2 GiB, GPU 3.4 GiB; of what is not known, nothing."""
    host = _size(taken.host_bytes) if taken.host_bytes is not None else ""
    gpu = f"GPU {_size(taken.gpu_bytes)}" if taken.gpu_bytes is not None else ""
    return ", ".join(filter(None, (host, gpu)))


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
