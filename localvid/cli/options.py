"""The options that several commands share, each written once.

A group of options is a frozen dataclass whose fields are typer's annotated options; `spread` gives a
command one option for each field of a parameter of such a type.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from localvid.config import Settings
    from localvid.errors import InvalidRequestError
    from localvid.schemas import FilmOptions

_Command = Callable[..., None]
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])?(i)?b", re.ASCII)


def spread(command: _Command) -> _Command:
    """The command with each parameter of a dataclass type replaced by one parameter for each field."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        parameters += _fields(groups[name]) if name in groups else [parameter.replace(annotation=hints[name])]

    @functools.wraps(command)
    def spread_out(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    keyword_only = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    spread_out.__dict__["__signature__"] = inspect.Signature(keyword_only)
    spread_out.__annotations__ = {parameter.name: parameter.annotation for parameter in keyword_only}
    return spread_out


def _fields(kind: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=hints[field.name]
        )
        for field in fields(kind)
    ]


def option(*names: str, help: str, metavar: str | None = None) -> Any:
    """An option that shows no default: None means that it was not given."""
    return typer.Option(*names, help=help, metavar=metavar, show_default=False)


def file_option(*names: str, help: str, metavar: str = "FILE") -> Any:
    """An option that takes a path; `--output "$UNSET"` is refused and does not mean the current folder."""
    return typer.Option(*names, help=help, metavar=metavar, show_default=False, parser=_path)


def file_argument(metavar: str, help: str) -> Any:
    """An argument that names a file to read. typer does not check it: whoever opens it says why it cannot be
    read."""
    return typer.Argument(metavar=metavar, readable=False, show_default=False, help=help)


def _path(text: str) -> Path:
    if not text.strip():
        raise typer.BadParameter("an empty path")
    from localvid.files import expanded

    return expanded(Path(text))


MAX_SHOTS = option(
    "--max-shots",
    metavar="N",
    help="Shots to write, 1 to 7 (3 if not given); render takes the first so many.",
)


def seed_option(help: str) -> Any:
    return typer.Option("--seed", metavar="N", help=help, min=0, max=2**32 - 1, show_default=False)


def _seconds(text: str) -> float:
    from localvid.schemas import seconds_of

    seconds = seconds_of(text)
    if seconds is None:
        raise typer.BadParameter(f"{text!r} is no length; write it as 20s, 1m30s or 90")
    return seconds


def _bytes(text: str) -> int:
    """`20GiB`, `500MB`, `1.5 TiB` → bytes."""
    match = _SIZE.fullmatch(text.strip().lower())
    if not match:
        raise typer.BadParameter(f"{text!r} is no size; write it as 20GiB, 500MB or 1.5TiB")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** (" kmgt".index(prefix or " ")))


def size_option(*names: str, help: str) -> Any:
    return typer.Option(*names, metavar="SIZE", help=help, show_default=False, parser=_bytes)


def duration_option(help: str) -> Any:
    return typer.Option("--duration", metavar="LENGTH", help=help, show_default=False, parser=_seconds)


Workspace = Annotated[
    Path | None,
    file_option("--workspace", metavar="FOLDER", help="Where jobs, artifacts and films are kept."),
]
Device = Annotated[
    str | None,
    option("--device", metavar="auto|cuda|cpu", help="Where models run; diffusion on the cpu takes hours."),
]
Llm = Annotated[
    str | None,
    option(
        "--llm",
        metavar="MODEL",
        help="What writes the storyboard: a model, a GGUF file, openai:MODEL, anthropic:MODEL, or outline.",
    ),
]
Json = Annotated[bool, option("--json", help="Print the result as JSON on the standard output.")]
Quiet = Annotated[bool, option("--quiet", "-q", help="No progress and no notes; errors are still printed.")]
Yes = Annotated[bool, option("--yes", "-y", help="Do not ask.")]
Job = Annotated[str, typer.Argument(metavar="JOB", show_default=False, help="A job's id, or its beginning.")]
Transition = Annotated[
    str | None,
    option(
        "--transition",
        metavar="KIND[:SECONDS]",
        help="Between all shots: cut, crossfade or fade_black, such as crossfade:0.8.",
    ),
]


AllowRemote = Annotated[
    bool | None,
    option(
        "--allow-remote/--no-remote",
        help="Whether first frames may be sent to a host, and its clips paid for.",
    ),
]
MaxCost = Annotated[
    float | None,
    option(
        "--max-cost", metavar="USD", help="Most that the job may spend on hosts; if not given, max_cost_usd."
    ),
]


@dataclass(frozen=True)
class FilmFlags:
    """What `generate` and `render` take beside the words. None: not given."""

    output: Annotated[
        Path | None,
        file_option("--output", "-o", help="The film: .mp4, .webm or .gif; it is overwritten."),
    ] = None
    model: Annotated[
        str | None, option("--model", metavar="MODEL", help="Video model; localvid list-models names them.")
    ] = None
    keyframe_model: Annotated[
        str | None,
        option("--keyframe-model", metavar="MODEL", help="What paints first frames from words, or none."),
    ] = None
    llm: Llm = None
    allow_remote: AllowRemote = None
    max_cost_usd: MaxCost = None
    fallback: Annotated[
        str | None,
        option("--fallback", metavar="MODEL", help="Remote model for shots that cannot be made here."),
    ] = None
    max_shots: Annotated[int | None, MAX_SHOTS] = None
    reference_image: Annotated[
        Path | None, file_option("--reference-image", help="First frame of every shot that names no other.")
    ] = None
    transition: Transition = None
    captions: Annotated[
        bool | None,
        option("--captions/--no-captions", help="Burn in shot numbers, words and camera moves (animatic)."),
    ] = None
    duration_seconds: Annotated[
        float | None,
        duration_option("How long the film is, such as 20s or 1m30s; its shots are made longer or shorter."),
    ] = None
    width: Annotated[int | None, option("--width", metavar="PIXELS", help="Width of the film.")] = None
    height: Annotated[int | None, option("--height", metavar="PIXELS", help="Height of the film.")] = None
    num_frames: Annotated[
        int | None,
        option("--num-frames", metavar="N", help="Frames of every shot, whatever its duration says."),
    ] = None
    fps: Annotated[int | None, option("--fps", metavar="N", help="Frames a second.")] = None
    num_inference_steps: Annotated[
        int | None, option("--num-inference-steps", metavar="N", help="Sampling steps of a diffusion model.")
    ] = None
    motion_bucket_id: Annotated[
        int | None, option("--motion-bucket-id", metavar="N", help="SVD: 1 to 255, more is more motion.")
    ] = None
    noise_aug_strength: Annotated[
        float | None,
        option("--noise-aug-strength", metavar="X", help="SVD: noise on the first frame, 0 to 10."),
    ] = None
    decode_chunk_size: Annotated[
        int | None,
        option(
            "--decode-chunk-size", metavar="N", help="SVD: decode so few frames together; seams may show."
        ),
    ] = None
    seed: Annotated[int | None, seed_option("The same seed and words give the same film.")] = None
    metadata: Annotated[
        bool | None, option("--metadata/--no-metadata", help="Whether the film carries how it was made.")
    ] = None
    dry_run: Annotated[
        bool, option("--dry-run", help="Say what would be done, with which models; do nothing.")
    ] = False
    as_json: Json = False
    quiet: Quiet = False
    device: Device = None
    workspace: Workspace = None

    def settings(self) -> Settings:
        return settings_with(
            workspace=self.workspace,
            device=self.device,
            model=self.model,
            keyframe_model=self.keyframe_model,
            llm=self.llm,
            allow_remote=self.allow_remote,
            max_cost_usd=self.max_cost_usd,
            fallback=self.fallback,
        )

    def options(self, settings: Settings, recorded: FilmOptions | None = None) -> FilmOptions:
        """What is asked for: a flag, else what the film was `recorded` with, else the settings.

        Raises InvalidRequestError for values that no model takes.
        """
        from localvid.schemas import FilmOptions

        if recorded is None:
            base = settings.model_dump(include={"model", "keyframe_model", "llm"})
        else:
            base = recorded.model_dump()
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        known = FilmOptions.model_fields
        asked = {name: value for name, value in given.items() if name in known and value is not None}
        if "max_shots" in asked:
            base.pop("duration_seconds", None)  # recorded of all shots, not of the first few
        for name, other in (("duration_seconds", "num_frames"), ("num_frames", "duration_seconds")):
            if name in asked:
                base.pop(other, None)  # two ways to say how long: the one asked for now, not the recorded one
        return validated_options({**base, **asked})


def settings_with(**flags: Any) -> Settings:
    """The settings, with those flags that are not None; InvalidRequestError that names the flags at fault."""
    from pydantic import ValidationError

    from localvid.config import Settings, load_settings

    try:
        Settings.model_validate({name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise _of_flags(error) from error
    return load_settings(**flags)


def validated_options(values: dict[str, Any]) -> FilmOptions:
    """Film options, or InvalidRequestError that names the flags at fault."""
    from pydantic import ValidationError

    from localvid.schemas import FilmOptions

    try:
        return FilmOptions.model_validate(values)
    except ValidationError as error:
        raise _of_flags(error) from error


def _of_flags(error: ValidationError) -> InvalidRequestError:
    from localvid.errors import InvalidRequestError
    from localvid.schemas import reasons

    problems = [f"{_flag(str(place[0]))}: {why}" for place, why in reasons(error)]
    return InvalidRequestError(
        "; ".join(dict.fromkeys(problems)), hint="--help lists every option and its values"
    )


def _flag(name: str) -> str:
    return "--" + name.removesuffix("_seconds").removesuffix("_usd").replace("_", "-")
