"""`localvid storyboard --edit`: an instruction changes a storyboard file, after the user has seen how."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from localvid.cli import output
from localvid.cli.differences import changes_document, is_same, print_differences
from localvid.cli.making import of_storyboard, orchestrating
from localvid.cli.storyboards import (
    STANDARD_INPUT,
    check_storyboard_output,
    is_film,
    read_storyboard,
    read_text,
    storyboard_in,
    write_text,
)
from localvid.errors import InvalidRequestError

if TYPE_CHECKING:
    from localvid.config import Settings
    from localvid.schemas import Revision, Storyboard


class _Source(NamedTuple):
    """What is edited: `text` is the file's, None for a film; images of `storyboard` are absolute."""

    path: Path
    text: str | None
    storyboard: Storyboard


def edit_storyboard(
    path: Path,
    instruction: str,
    *,
    target: Path | None,
    settings: Settings,
    seed: int | None,
    yes: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Revise, show what changes, and write it: to `target`, else to `path` once the user agrees, else (of the
    standard input) to the standard output.

    Nothing is written where nothing changes, nor over a file that changed meanwhile. As JSON nobody is asked:
    without `target` or `yes` it is only printed.
    """
    from localvid.files import check_output
    from localvid.schemas import FilmOptions

    source = _read(path, target)
    file = target or (None if path == STANDARD_INPUT else path)
    if target is not None:
        check_storyboard_output(target)
    elif file is not None:
        check_output(file)
    with orchestrating(settings, quiet=quiet) as (orchestrator, display), display:
        revision = orchestrator.revise_storyboard(
            source.storyboard,
            instruction,
            options=FilmOptions(llm=settings.llm),
            seed=seed,
            on_progress=lambda progress: display.report(of_storyboard(progress)),
        )
    asks = file is not None and target is None and not yes
    if as_json:
        writes = file is not None and not asks and not is_same(source.storyboard, revision)
        if file is not None and writes:
            _write(source, _text(source, revision, file), file)
        _print_document(source, revision, written=file if writes else None)
        return
    if not quiet or asks:
        _show(source, revision, console_on=sys.stderr if file is None else sys.stdout)
    if file is None:
        sys.stdout.write(_text(source, revision, path))
    elif not is_same(source.storyboard, revision):
        text = _text(source, revision, file)  # which may be refused, before anybody is asked
        if not asks or _agreed(file):
            _write(source, text, file)
            print(file)


def _read(path: Path, target: Path | None) -> _Source:
    if not is_film(path):
        text = read_text(path)
        return _Source(path, text, storyboard_in(text, path))
    if target is None:
        raise InvalidRequestError(
            "a film cannot be edited in place", hint="--output FILE names the storyboard to write"
        )
    return _Source(path, None, read_storyboard(path).storyboard)


# --- what the user sees ------------------------------------------------------------------------------


def _show(source: _Source, revision: Revision, *, console_on: TextIO) -> None:
    if is_same(source.storyboard, revision):
        output.print_notice("nothing changes")
    else:
        print_differences(output.console(console_on), source.storyboard, revision)
    for note in revision.notes:
        output.print_notice(note)


def _print_document(source: _Source, revision: Revision, *, written: Path | None) -> None:
    changes = changes_document(source.storyboard, revision)
    output.print_json({**changes, "written": written, "storyboard": revision.storyboard})


def _agreed(file: Path) -> bool:
    agreed = output.confirmed(
        f"Write this to {output.one_line(file)}?", yes=False, flag="--yes, or another file as --output,"
    )
    if not agreed:
        output.print_notice("nothing was written")
    return agreed


# --- writing -----------------------------------------------------------------------------------------


def _write(source: _Source, text: str, file: Path) -> None:
    write_text(text, file, instead_of=source.text if file.resolve() == source.path.resolve() else None)


def _text(source: _Source, revision: Revision, file: Path) -> str:
    """What the file will say: the text that was read, changed in place, where the file is of its form."""
    from localvid.storyboard_file import form_of, parse, schema, updated, with_images_as_named, written

    text, before, after, origins = source.text, source.storyboard, revision.storyboard, revision.origins
    form = form_of(file.suffix, text)
    if text is None:
        return written(after, form, name=file.name, schema=schema.reference(file))
    own_form = form_of(source.path.suffix, text)
    own = parse(text, own_form, name=str(source.path))
    if file.parent.absolute() != source.path.parent.absolute():
        before = own  # so that paths of images are written absolute
    if form is own_form:
        return updated(text, form, before, after, origins=origins)
    after = with_images_as_named(own, before, after, origins)
    return written(after, form, name=file.name, schema=schema.reference(file))
