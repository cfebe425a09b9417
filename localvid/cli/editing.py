"""`localvid storyboard --edit`: an instruction changes a storyboard file, after the user has seen how."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from localvid.cli import output
from localvid.cli.differences import changes_document, is_same, print_differences
from localvid.cli.making import orchestrating
from localvid.cli.storyboards import STANDARD_INPUT, is_film, read_content, read_storyboard
from localvid.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localvid.config import Settings
    from localvid.schemas import FilmOptions, Progress, Revision, Storyboard
    from localvid.storyboard_file import Form


class _Source(NamedTuple):
    """What is edited. `content` is the file's, None for a film; images of `storyboard` are absolute."""

    path: Path
    content: bytes | None
    storyboard: Storyboard


def edit_storyboard(
    source: Path,
    instruction: str,
    *,
    target: Path | None,
    settings: Settings,
    options: FilmOptions,
    seed: int | None,
    yes: bool,
    as_json: bool,
    quiet: bool,
    staged: Callable[[Progress], Progress],
) -> None:
    """Revise, show what changed, and write it: to `target`, else to `source` once the user agrees.

    Nothing is written where nothing changed, and not over a file that changed meanwhile. As JSON nobody is
    asked: without `target` and `yes` it is only printed.
    """
    from localvid.files import check_output

    found = _read(source, target)
    if (file := target or (None if source == STANDARD_INPUT else source)) is not None:
        check_output(file)
    with orchestrating(settings, quiet=quiet) as (orchestrator, display), display:
        revision = orchestrator.revise_storyboard(
            found.storyboard,
            instruction,
            options=options,
            seed=seed,
            on_progress=lambda progress: display.report(staged(progress)),
        )
    same = is_same(found.storyboard, revision)
    writes = not same and (target is not None or (file is not None and (yes or not as_json)))
    if not as_json:
        _show(found, revision, same=same, quiet=quiet and (yes or file is not source), to_error=file is None)
        writes = writes and (file is not source or _agreed(source, yes=yes))
    if writes and file is not None:
        _write(found, revision, file)
    if as_json:
        written = {"written": str(file) if writes else None, "storyboard": revision.storyboard}
        output.print_json({**changes_document(found.storyboard, revision), **written})
    elif file is None:
        sys.stdout.write(_text(found, revision, source))
    elif writes:
        print(file)


def _read(source: Path, target: Path | None) -> _Source:
    if is_film(source):
        if target is None:
            raise InvalidRequestError(
                "a film cannot be edited in place", hint="--output FILE names the storyboard to write"
            )
        return _Source(source, None, read_storyboard(source).storyboard)
    content = read_content(source)
    return _Source(source, content, read_storyboard(source, content=content).storyboard)


def _show(found: _Source, revision: Revision, *, same: bool, quiet: bool, to_error: bool) -> None:
    """What changed, on the standard output unless the storyboard itself goes there."""
    if quiet:
        return
    console = output.console(sys.stderr if to_error else sys.stdout)
    if same:
        output.print_notice("nothing changed")
    else:
        print_differences(console, found.storyboard, revision)
    for note in revision.notes:
        output.print_notice(note)


def _agreed(source: Path, *, yes: bool) -> bool:
    agreed = output.confirmed(
        f"Write this to {output.one_line(source)}?", yes=yes, flag="--yes, or another file as --output,"
    )
    if not agreed:
        output.print_notice("nothing was written")
    return agreed


def _write(found: _Source, revision: Revision, file: Path) -> None:
    """Whole or not at all; a link is followed, and a file keeps its permissions."""
    from localvid.files import writing

    text = _text(found, revision, file)
    in_place = found.content is not None and file is found.path
    file = file.resolve()
    file.parent.mkdir(parents=True, exist_ok=True)
    with writing(file, overwrite=True) as partial:
        partial.write_bytes(text.encode())
        if file.exists():
            partial.chmod(file.stat().st_mode)
        if in_place and read_content(file) != found.content:
            raise InvalidRequestError(
                f"{found.path} has changed since it was read; nothing was written", hint="run the edit again"
            )


def _text(found: _Source, revision: Revision, file: Path) -> str:
    """The storyboard as the file will hold it: changed in place in what was read, where that is of its form."""
    from localvid.storyboard_file import form_of, parse, updated, written

    if found.content is None:
        return written(revision.storyboard, form_of(file.suffix), name=file.name)
    text = found.content.decode("utf-8")
    form = form_of(found.path.suffix, text)
    if form_of(file.suffix, text) is not form:
        return written(revision.storyboard, form_of(file.suffix), name=file.name)
    before = found.storyboard
    if file.parent.absolute() != found.path.parent.absolute():
        before = parse(text, form, name=str(found.path))  # relative images would be looked for elsewhere
    return updated(text, form, before, revision.storyboard)
