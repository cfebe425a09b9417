"""What a user asks for, checked and settled before a job exists: prompt, images, output, models.

After this a job means the same whenever and from wherever it is run: no "auto" is left, paths are absolute.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import ValidationError

from localvid import registry
from localvid.config import Settings
from localvid.errors import InvalidImageError, InvalidRequestError, InvalidStoryboardError
from localvid.files import check_output, digest, expanded
from localvid.media import containers, images
from localvid.planning import capabilities_of, continuing_shots, fit_durations, num_shots_for
from localvid.schemas import (
    MAX_PROMPT_CHARACTERS,
    MAX_SEED,
    FilmOptions,
    ModelInfo,
    ModelKind,
    ModelManifest,
    Storyboard,
    clean_prompt,
    explain,
    says_something,
)

NONE = "none"
"""In place of a keyframe model: nothing paints first frames."""


def checked_prompt(prompt: str, storyboard: Storyboard | None) -> str:
    """The prompt, cleaned; a storyboard brings its own. Raises InvalidRequestError."""
    cleaned = clean_prompt(prompt or (storyboard.prompt if storyboard else ""))
    if not says_something(cleaned) and storyboard is None:
        raise InvalidRequestError(
            f"the prompt {'says nothing that can be seen' if cleaned else 'is empty'}",
            hint='say what the film shows: "A peaceful forest at dawn"',
        )
    if len(cleaned) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequestError(
            f"the prompt has {len(cleaned):,} characters; at most {MAX_PROMPT_CHARACTERS:,} are read",
            hint="shorten it, or write the shots yourself into a storyboard and render that",
        )
    return cleaned


def checked_seed(seed: int | None) -> int | None:
    """The seed, if it is one. Raises InvalidRequestError."""
    if seed is not None and not 0 <= seed <= MAX_SEED:
        raise InvalidRequestError(f"the seed {seed} is outside 0 to {MAX_SEED}", hint="choose another seed")
    return seed


def checked_storyboard(storyboard: Storyboard | None) -> Storyboard | None:
    """The storyboard, validated once more: `model_copy` checks nothing. Raises InvalidStoryboardError."""
    try:
        return None if storyboard is None else Storyboard.model_validate(storyboard.model_dump())
    except ValidationError as error:
        raise InvalidStoryboardError(
            f"the storyboard: {explain(error)}", hint="see docs/storyboard.md"
        ) from error


def with_max_shots(options: FilmOptions | None, max_shots: int | None) -> FilmOptions:
    """The options, with `max_shots` in place of theirs if it is given. Raises InvalidRequestError."""
    options = options or FilmOptions()
    if max_shots is None:
        return options
    try:
        return FilmOptions.model_validate({**options.model_dump(), "max_shots": max_shots})
    except ValidationError as error:
        raise InvalidRequestError(explain(error), hint="a storyboard has 1 to 7 shots") from error


def with_length(options: FilmOptions, seconds: float) -> FilmOptions:
    """The options with a length of the film. Raises InvalidRequestError for one that no film has."""
    try:
        return FilmOptions.model_validate({**options.model_dump(), "duration_seconds": seconds})
    except ValidationError as error:
        raise InvalidRequestError(explain(error), hint="ask for another length") from error


def settle_images(
    storyboard: Storyboard | None,
    options: FilmOptions,
    *,
    kept: Path,
    keep: Callable[[Path], Path],
) -> tuple[Storyboard | None, FilmOptions]:
    """Check every image that is named and replace its path by what `keep` makes of it.

    An image that is missing where it is named is looked for in the folder `kept`, under its name: a film
    names its images so. Raises InvalidImageError for an image that is missing or cannot be used.
    """
    places: dict[Path, Path] = {}
    for named in named_images(storyboard, options):
        path = expanded(named).absolute()
        if not path.exists() and (kept / path.name).exists():
            path = kept / path.name
        images.read_image(path)
        places[named] = keep(path)
    if options.reference_image is not None:
        options = options.model_copy(update={"reference_image": places[options.reference_image]})
    if storyboard is not None:
        shots = tuple(
            shot.model_copy(update={"reference_image": places[shot.reference_image]})
            if shot.reference_image
            else shot
            for shot in storyboard.shots
        )
        storyboard = storyboard.model_copy(update={"shots": shots})
    return storyboard, options


def settle_options(
    options: FilmOptions, storyboard: Storyboard | None, settings: Settings, *, notice: Callable[[str], None]
) -> FilmOptions:
    """The options with every "auto" settled and an output that can be written.

    Raises InvalidRequestError for an output that cannot be used, NotAvailableError for a model that does
    not run here.
    """
    changes: dict[str, object] = {}
    if options.output is not None:
        changes["output"] = output = expanded(options.output).absolute()
        containers.output_format(output)
        check_output(output)
    choice = registry.choose_video_model(settings, options.model)
    fallback = _fallback_model(options, choice.info, settings, notice=notice)
    video = chosen(choice, notice) if fallback is None else choice.info
    if fallback is not None and not video.available:
        notice(
            f"{video.manifest.id} does not run here: {video.reason}; {fallback.manifest.id} makes the clips"
        )
    changes["model"] = video.manifest.id
    changes["fallback"] = fallback.manifest.id if fallback else None
    if fallback is not None or video.manifest.is_remote:
        changes["allow_remote"] = True  # or it would not be available: the leave is the job's from now on
        if options.max_cost_usd is None:
            changes["max_cost_usd"] = settings.max_cost_usd
    if storyboard is None:
        changes["max_shots"] = num_shots(options, video.manifest)
        changes["llm"] = _llm_name(chosen(registry.choose_writer(settings, options.llm), notice), settings)
    changes["keyframe_model"] = _keyframe_model(options, storyboard, video, settings, notice=notice)
    return options.model_copy(update=changes)


def num_shots(options: FilmOptions, video: ModelManifest) -> int:
    """How many shots a writer is asked for."""
    return num_shots_for(options, capabilities_of(video))


def as_long_as_asked(storyboard: Storyboard, options: FilmOptions, video: ModelManifest) -> Storyboard:
    """The storyboard with the durations that the length of the film asks for, if one is asked for.

    Raises InvalidRequestError, InvalidStoryboardError for transitions that do not fit into their shots.
    """
    return fit_durations(storyboard, options, capabilities_of(video))


def chosen(choice: registry.Choice, notice: Callable[[str], None]) -> ModelInfo:
    """The model of a choice, which must run here; what there is to say of it is said."""
    registry.require(choice.info)
    if choice.said:
        notice(choice.said)
    return choice.info


def image_digests(storyboard: Storyboard, options: FilmOptions) -> dict[Path, str]:
    """Path → SHA-256 of every image that is named. Raises InvalidImageError."""
    try:
        return {path: digest(path) for path in named_images(storyboard, options)}
    except OSError as error:
        raise InvalidImageError(
            f"{error.filename} cannot be read: {error.strerror}", hint="put the image back, or name another"
        ) from error


def named_images(storyboard: Storyboard | None, options: FilmOptions) -> Iterable[Path]:
    """Every image that the user names, once each."""
    shots = storyboard.shots if storyboard else ()
    named = (options.reference_image, *(shot.reference_image for shot in shots))
    return dict.fromkeys(path for path in named if path is not None)


def _fallback_model(
    options: FilmOptions, video: ModelInfo, settings: Settings, *, notice: Callable[[str], None]
) -> ModelInfo | None:
    """The remote model for shots that cannot be made here, which must be allowed; None if none is wanted."""
    asked = options.fallback or settings.fallback
    if asked is None:
        return None
    of_this_job = options.fallback is not None
    if video.manifest.is_remote:
        notice(f"{asked} is not needed as a fallback: {video.manifest.id} makes all clips")
        return None
    info = registry.get_model(asked, settings, ModelKind.VIDEO)
    if not info.manifest.is_remote:
        raise InvalidRequestError(
            f"{info.manifest.id} is no fallback: it runs on this machine too",
            hint="name a remote model: --fallback replicate:svd-xt",
        )
    if not info.available and not of_this_job:
        notice(f"{info.manifest.id} does not stand in for shots that cannot be made here: {info.reason}")
        return None
    registry.require(info)
    return info


def _keyframe_model(
    options: FilmOptions,
    storyboard: Storyboard | None,
    video: ModelInfo,
    settings: Settings,
    *,
    notice: Callable[[str], None],
) -> str:
    asked = settings.keyframe_model if options.keyframe_model == "auto" else options.keyframe_model
    if _needs_painter(video, storyboard, options, asked):
        return chosen(registry.choose_keyframe_model(settings, asked), notice).manifest.id
    if options.keyframe_model not in ("auto", NONE):
        notice(f"{options.keyframe_model} paints nothing: every shot has a first frame already")
    return NONE


def _needs_painter(video: ModelInfo, storyboard: Storyboard | None, options: FilmOptions, asked: str) -> bool:
    """Whether some shot's first frame must be painted from words before the video model can run."""
    capabilities = video.manifest.capabilities
    if asked == NONE or capabilities is None or not capabilities.takes_first_frame:
        return False
    if asked == "auto" and not capabilities.needs_first_frame:
        return False
    if options.reference_image is not None:
        return False
    if storyboard is None:
        return True
    return any(
        shot.reference_image is None and not continues
        for shot, continues in zip(storyboard.shots, continuing_shots(storyboard), strict=True)
    )


def _llm_name(info: ModelInfo, settings: Settings) -> str:
    """What the job records: a known model's id, or the path of the user's own GGUF file."""
    known = info.manifest.id in registry.load_manifests(settings)
    return info.manifest.id if known or info.source is None else str(info.source)


def storyboard_model(storyboard: Storyboard, options: FilmOptions, settings: Settings) -> ModelInfo | None:
    """The model that wrote the storyboard, as far as it is known here; None for a person's."""
    writer = re.split("[,;]", storyboard.written_by, maxsplit=1)[0]
    if not writer:
        return None
    for name in (options.llm, writer):
        try:
            info = registry.get_model(name, settings, ModelKind.STORYBOARD)
        except InvalidRequestError:
            continue
        if info.manifest.id in (writer, f"llm:{writer}"):
            return info
    return None
