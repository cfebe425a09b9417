"""A storyboard shown: as a table in the terminal, and as a sheet of stills, PNG or HTML."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localvid.cli import output
from localvid.cli.progress import film_progress, noting_log
from localvid.errors import InvalidRequestError

if TYPE_CHECKING:
    from rich.console import Console

    from localvid.cli.storyboards import FoundStoryboard
    from localvid.config import Settings
    from localvid.schemas import Shot, Storyboard

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_PAGES = (".html", ".htm")
_USUAL_ASPECT = 16 / 9
_ALL_COLUMNS_FROM = 84
_TABLE_FROM = 46

_ARROWS = {
    "static": "·",
    "pan_left": "←",
    "pan_right": "→",
    "tilt_up": "↑",
    "tilt_down": "↓",
    "truck_left": "⇐",
    "truck_right": "⇒",
    "pedestal_up": "⇑",
    "pedestal_down": "⇓",
    "zoom_in": "⊕",
    "zoom_out": "⊖",
    "dolly_in": "⇲",
    "dolly_out": "⇱",
    "orbit_left": "↺",
    "orbit_right": "↻",
}


def show_storyboard(
    source: Path, settings: Settings, *, sheet: Path | None, as_json: bool, quiet: bool
) -> None:
    """Print the storyboard of a file or a film, and draw its sheet if one is asked for.

    Raises as `read_storyboard`, and InvalidRequestError, InvalidImageError, WorkspaceError for the sheet,
    before anything is painted.
    """
    from localvid.cli.storyboards import read_storyboard
    from localvid.files import check_output

    if sheet is not None:
        if sheet.suffix.lower() not in (*_PICTURES, *_PAGES):
            raise InvalidRequestError(
                f"{sheet.name} has no extension of a sheet", hint="name it .png or .html"
            )
        check_output(sheet)
    found = read_storyboard(source)
    board = _as_filmed(found, settings)
    if sheet is not None and any(_is_same_file(sheet, shot.reference_image) for shot in board.shots):
        raise InvalidRequestError(f"{sheet} is an image of this storyboard", hint="name another output")
    if sheet is not None:
        _draw(board, found, settings, sheet, quiet=quiet)
    if as_json:
        output.print_json(_document(board, sheet))
        return
    _print(output.console(), board)
    if sheet is not None:
        print(f"saved {output.one_line(output.short_path(sheet.absolute()))}")
    elif not quiet:
        output.print_notice("-o sheet.html or -o sheet.png draws it, with a still of each shot")


def _is_same_file(sheet: Path, image: Path | None) -> bool:
    """Whether both are there and are one file, by whatever names."""
    try:
        return image is not None and sheet.samefile(image)
    except (OSError, ValueError):  # one is not there, or is no name at all
        return False


def _as_filmed(found: FoundStoryboard, settings: Settings) -> Storyboard:
    """With what a film was made with in place of what its storyboard says, and the images that it kept."""
    recorded = found.recorded
    if recorded is None:
        return found.storyboard
    from localvid.store import IMAGES

    kept = settings.workspace / IMAGES
    shots = []
    for shot in found.storyboard.shots:
        image = shot.reference_image or (None if shot.continue_from_previous else recorded.reference_image)
        if image is not None and not image.exists() and (kept / image.name).exists():
            image = kept / image.name
        transition = recorded.transition or shot.transition
        shots.append(shot.model_copy(update={"reference_image": image, "transition": transition}))
    return found.storyboard.model_copy(update={"shots": tuple(shots)})


def _draw(board: Storyboard, found: FoundStoryboard, settings: Settings, sheet: Path, *, quiet: bool) -> None:
    from localvid.media.storyboard_page import write_page
    from localvid.media.storyboard_sheet import draw_sheet, sheet_size
    from localvid.stills import paint_stills

    options = found.recorded
    aspect = options.width / options.height if options and options.width and options.height else _USUAL_ASPECT
    size = sheet_size(len(board.shots), aspect=aspect)
    display = film_progress(quiet=quiet)
    with tempfile.TemporaryDirectory(prefix="localvid-") as folder, display, noting_log(display.notice):
        stills = paint_stills(
            board, Path(folder), settings, width=size.width, height=size.height, on_progress=display.report
        )
        sheet.parent.mkdir(parents=True, exist_ok=True)
        if sheet.suffix.lower() in _PAGES:
            write_page(board, stills, sheet, summary=_summary(board))
        else:
            draw_sheet(board, stills, sheet, size=size, summary=_summary(board))


def _summary(board: Storyboard) -> str:
    """`3 shots, 11.2 s`."""
    from localvid.planning import film_seconds

    seconds = film_seconds(board)
    length = f"{seconds:.1f} s" if seconds < 60 else output.clock(seconds)
    return f"{output.count(len(board.shots), 'shot')}, {length}"


def _document(board: Storyboard, sheet: Path | None) -> dict[str, Any]:
    """The table as JSON."""
    from localvid.planning import film_seconds

    shots = []
    for index, shot in enumerate(board.shots):
        last = index + 1 == len(board.shots)
        shots.append(
            {"shot": index + 1, **shot.model_dump(mode="json"), **({"transition": None} if last else {})}
        )
    return {
        "title": board.title,
        "prompt": board.prompt,
        "style": board.style,
        "characters": board.characters,
        "setting": board.setting,
        "written_by": board.written_by,
        "seconds": round(film_seconds(board), 4),
        "shots": shots,
        "sheet": sheet,
    }


# --- printing ------------------------------------------------------------------------------------


def _print(console: Console, board: Storyboard) -> None:
    title = output.one_line(board.title or board.prompt)
    if title:
        console.print(title, style="bold", overflow="ellipsis", no_wrap=True)
    facts = {"style": board.style, "characters": board.characters, "setting": board.setting}
    output.print_facts(console, facts)
    if console.width < _TABLE_FROM:
        _print_list(console, board)
    else:
        _print_table(console, board)
    console.print(f"\n{_summary(board)}", style="bold")


def _print_table(console: Console, board: Storyboard) -> None:
    """One row a shot; what is seen takes the room that is left, on as many lines as it needs."""
    from rich.table import Table
    from rich.text import Text

    whole = console.width >= _ALL_COLUMNS_FROM
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.add_column("shot", justify="right", no_wrap=True)
    shown.add_column("camera", no_wrap=True)
    if whole:
        shown.add_column("energy", no_wrap=True)
    shown.add_column("seconds", justify="right", no_wrap=True)
    if whole:
        shown.add_column("then", no_wrap=True)
    shown.add_column("what is seen", overflow="fold")
    last = len(board.shots)
    for number, shot in enumerate(board.shots, start=1):
        ends = shot.transition.in_words if number < last else ""
        seen = Text(output.one_line(shot.description))
        if not whole and ends not in ("", "cut"):
            seen.append(f" (then {ends})", style="bright_black")
        moves = [_camera(shot), *([f"{shot.energy:g}"] if whole else [])]
        times = [f"{shot.duration_seconds:g}", *([ends] if whole else [])]
        shown.add_row(str(number), *moves, *times, seen)
    output.print_trimmed(console, shown)


def _print_list(console: Console, board: Storyboard) -> None:
    """For a terminal so narrow that a column of words would be a word wide."""
    last = len(board.shots)
    for number, shot in enumerate(board.shots, start=1):
        how = f"{_camera(shot)}, energy {shot.energy:g}, {shot.duration_seconds:g} s"
        how += f", then {shot.transition.in_words}" if number < last else ""
        output.print_hanging(console, shot.description, indent=4, mark=f"{number:>2}")
        output.print_hanging(console, how, indent=4)


def _camera(shot: Shot) -> str:
    return f"{_ARROWS[shot.camera.value]} {shot.move_in_words}"
