"""The command about one film: info."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from localvid.cli import output
from localvid.cli.making import describe, print_shots
from localvid.cli.options import Json, Workspace, file_argument, file_option, option
from localvid.errors import InvalidRequestError

if TYPE_CHECKING:
    from localvid.schemas import FilmRecord, VideoInfo


def info(
    film: Annotated[
        Path,
        file_argument("FILM", "An mp4, mov, m4v, webm or gif file."),
    ],
    frame: Annotated[
        float | None,
        option("--frame", metavar="SECONDS", help="Save the frame shown at this time, to --output."),
    ] = None,
    image: Annotated[
        Path | None, file_option("--output", "-o", help="Where --frame saves: .png or .jpg.")
    ] = None,
    thumbnail: Annotated[
        Path | None, file_option("--thumbnail", help="Save a small picture of the film.")
    ] = None,
    contact_sheet: Annotated[
        Path | None, file_option("--contact-sheet", help="Save frames from all of the film on one sheet.")
    ] = None,
    as_json: Json = False,
    workspace: Workspace = None,  # noqa: ARG001 - every command takes it, so a wrapper can always pass it
) -> None:
    """Show what a film is and how it was made.

    Or save pictures of it: one frame, a thumbnail, a sheet of frames.
    """
    if (frame is None) != (image is None):
        raise InvalidRequestError(
            "--frame and --output belong together", hint="for example: --frame 2.5 --output frame.png"
        )
    from localvid import media

    video = media.probe(film)
    record = _record(film)
    saved = _save(film, frame=frame, image=image, thumbnail=thumbnail, contact_sheet=contact_sheet)
    if as_json:
        output.print_json({"video": video, "record": record, "saved": saved})
        return
    _print(video, record, saved)


def _save(
    film: Path, *, frame: float | None, image: Path | None, thumbnail: Path | None, contact_sheet: Path | None
) -> list[Path]:
    if not (image or thumbnail or contact_sheet):
        return []
    from localvid.media import extract

    if frame is not None and image is not None:
        extract.extract_frame(film, image, seconds=frame, overwrite=True)
    if thumbnail is not None:
        extract.thumbnail(film, thumbnail, overwrite=True)
    if contact_sheet is not None:
        extract.contact_sheet(film, contact_sheet, overwrite=True)
    return [path for path in (image, thumbnail, contact_sheet) if path is not None]


def _record(film: Path) -> FilmRecord | None:
    """The film's record; None where it carries none that this version reads."""
    from pydantic import ValidationError

    from localvid.media.metadata import read_record
    from localvid.schemas import FilmRecord

    text = read_record(film)
    if text is None:
        return None
    try:
        return FilmRecord.model_validate_json(text)
    except ValidationError:
        output.print_notice("how it was made is written in a form that this version does not read")
        return None


def _print(video: VideoInfo, record: FilmRecord | None, saved: list[Path]) -> None:
    console = output.console()
    console.print(output.one_line(output.short_path(video.path.absolute())), style="bold")
    colour = f", {video.color_space}" if video.color_space else ""
    rate = "constant" if video.constant_frame_rate else "variable"
    streaming = "starts at once" if video.faststart else "index at the end"
    output.print_facts(
        console,
        {
            "video": describe(video),
            "pictures": f"{video.pixel_format}{colour}, {rate} frame rate",
            "container": f"{video.container}, {streaming}" if video.container != "gif" else video.container,
            **(_record_facts(record) if record else {}),
        },
    )
    if record is None:
        console.print("\nit does not carry how it was made")
    else:
        print_shots(console, record.storyboard, transition=record.options.transition)
    for path in saved:
        console.print(f"saved {output.one_line(path)}")


def _of_shots(shots: tuple[int, ...]) -> str:
    return f" of shot{'s' if len(shots) > 1 else ''} {', '.join(map(str, shots))}" if shots else ""


def _record_facts(record: FilmRecord) -> dict[str, str]:
    models = (
        f"{model.id}{f' ({model.licence})' if model.licence else ''}, "
        f"{model.role.value}{_of_shots(model.shots)}"
        for model in record.models
    )
    return {
        "prompt": record.prompt,
        "title": record.storyboard.title,
        "style": record.storyboard.style,
        "written by": record.storyboard.written_by,
        "models": "; ".join(models),
        "localvid": record.localvid,
        "notices": "; ".join(record.notices),
    }
