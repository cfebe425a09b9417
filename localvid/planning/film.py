"""A film's plan: every step that makes it, with requests, seeds and keys. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from localvid.errors import CapabilityError, InvalidRequestError
from localvid.planning.capabilities import check_request
from localvid.planning.continuity import continuing_shots, num_late_frames
from localvid.planning.length import film_fps, num_frames_of
from localvid.planning.motion import SAMPLING_OPTIONS, sampling_for
from localvid.planning.moves import crop_path
from localvid.planning.notes import film_notes
from localvid.planning.record import film_record, record_parameters
from localvid.planning.steps import Step, StepKind, identity, step_key
from localvid.planning.transitions import planned_transitions
from localvid.schemas import (
    Camera,
    CameraSpeed,
    Caption,
    CropPath,
    FilmOptions,
    FilmRecord,
    Frozen,
    HandOver,
    KeyframeRequest,
    ModelCapabilities,
    ModelManifest,
    Shot,
    Storyboard,
    Transition,
    VideoRequest,
)


class ShotPlan(Frozen):
    """What is done for one shot. Paths stand for files that only exist when the step is run: the
    orchestrator replaces `output`, `first_frame`, `latents` and what `hand_over` names."""

    index: int
    """From 0."""
    shot: Shot
    keyframe: Step | None
    """None where the model makes the first frame from the words itself."""
    keyframe_request: KeyframeRequest | None
    """None where the keyframe is a frame that the clip before hands over."""
    latents: Step | None
    clip: Step
    clip_request: VideoRequest


class FilmPlan(Frozen):
    """Every step of a film, and what the user should be told before it is made."""

    width: int
    height: int
    fps: int
    shots: tuple[ShotPlan, ...]
    transitions: tuple[Transition, ...]
    """Between the shots: one fewer than shots."""
    film: Step
    container: str
    """The film's file ending: ".mp4", ".webm", ".gif"."""
    record: FilmRecord | None
    notes: tuple[str, ...] = ()

    def steps(self) -> Iterator[Step]:
        """All steps in an order in which they can run."""
        for shot in self.shots:
            yield from (step for step in (shot.keyframe, shot.latents, shot.clip) if step is not None)
        yield self.film


def plan_film(
    storyboard: Storyboard,
    options: FilmOptions,
    *,
    prompt: str,
    video: ModelManifest,
    painter: ModelManifest | None,
    writer: ModelManifest | None,
    image_digests: Mapping[Path, str],
    version: str,
) -> FilmPlan:
    """Plan a film from a storyboard whose seeds are assigned.

    `painter` makes keyframes from words; None where the video model needs none. `writer` wrote the
    storyboard; None for a person. `image_digests` gives the SHA-256 of every reference image that the
    storyboard or the options name.

    Raises CapabilityError where the model cannot do what is asked, InvalidRequestError where two options
    contradict each other, InvalidStoryboardError where transitions do not fit into their shots.
    """
    capabilities = _capabilities(video)
    _refuse_unheeded(options, video)
    continuing = continuing_shots(storyboard)
    shots: list[ShotPlan] = []
    for index, continues in enumerate(continuing):
        shots.append(
            _plan_shot(
                index,
                storyboard,
                options,
                video=video,
                painter=painter,
                image_digests=image_digests,
                previous_clip=shots[-1].clip if continues else None,
                hands_over=any(continuing[index + 1 : index + 2]),
            )
        )
        check_request(shots[-1].clip_request, capabilities)
    requests = [shot.clip_request for shot in shots]
    first = requests[0]
    container = options.output.suffix.lower() if options.output else ".mp4"
    transitions = planned_transitions(
        storyboard, options, [request.least_frames for request in requests], fps=first.fps
    )
    record = (
        film_record(storyboard, options, prompt=prompt, models=(writer, painter, video), version=version)
        if options.metadata
        else None
    )
    return FilmPlan(
        width=first.width,
        height=first.height,
        fps=first.fps,
        shots=tuple(shots),
        transitions=transitions,
        film=_film_step(shots, transitions, container, record),
        container=container,
        record=record,
        notes=tuple(film_notes(storyboard, requests, transitions, capabilities, options)),
    )


def _capabilities(video: ModelManifest) -> ModelCapabilities:
    if video.capabilities is None:
        raise CapabilityError(
            f"{video.id} makes no clips", hint="choose a video model: `localvid list-models`"
        )
    return video.capabilities


def _refuse_unheeded(options: FilmOptions, video: ModelManifest) -> None:
    """An option that the model would ignore is an error: nothing is dropped in silence."""
    capabilities = _capabilities(video)
    unheeded = [name for name in SAMPLING_OPTIONS if getattr(options, name) is not None]
    if unheeded and capabilities.sampling is None:
        flags = ", ".join("--" + name.replace("_", "-") for name in unheeded)
        raise CapabilityError(
            f"{video.id} has no sampling: it cannot heed {flags}",
            hint="leave it out, or choose a diffusion model with --model",
        )
    if options.duration_seconds is not None and options.num_frames is not None:
        raise InvalidRequestError(
            "the film's length and the frames of every shot are both given",
            hint="leave out --num-frames or --duration",
        )


# --- one shot ------------------------------------------------------------------------------------


def _plan_shot(
    index: int,
    storyboard: Storyboard,
    options: FilmOptions,
    *,
    video: ModelManifest,
    painter: ModelManifest | None,
    image_digests: Mapping[Path, str],
    previous_clip: Step | None,
    hands_over: bool,
) -> ShotPlan:
    """`previous_clip` is the one that the shot goes on from, if it does."""
    shot = storyboard.shots[index]
    request = _clip_request(
        index, storyboard, options, video, continues=previous_clip is not None, hands_over=hands_over
    )
    keyframe, keyframe_request = _plan_keyframe(
        shot, request, options, painter=painter, image_digests=image_digests, previous_clip=previous_clip
    )
    if keyframe is not None:
        request = request.model_copy(update={"first_frame": Path("keyframe.png")})
    latents, clip = _clip_steps(index, request, video, keyframe)
    return ShotPlan(
        index=index,
        shot=shot,
        keyframe=keyframe,
        keyframe_request=keyframe_request,
        latents=latents,
        clip=clip,
        clip_request=request,
    )


def _clip_request(
    index: int,
    storyboard: Storyboard,
    options: FilmOptions,
    video: ModelManifest,
    *,
    continues: bool,
    hands_over: bool,
) -> VideoRequest:
    shot, capabilities = storyboard.shots[index], _capabilities(video)
    num_frames = num_frames_of(shot, options, capabilities, hands_over=hands_over)
    request = VideoRequest(
        model_id=video.id,
        description=shot.description,
        style=storyboard.style,
        camera=shot.camera,
        camera_speed=shot.camera_speed,
        energy=shot.energy,
        width=options.width or capabilities.default_width,
        height=options.height or capabilities.default_height,
        num_frames=num_frames,
        fps=film_fps(options, capabilities),
        seed=shot.seed if shot.seed is not None else 0,
        caption=Caption(shot_number=index + 1, num_shots=len(storyboard.shots)) if options.captions else None,
        hand_over=_hand_over(capabilities, num_frames) if hands_over else None,
        output=Path("clip.mp4"),
    )
    return request.model_copy(update=_motion(shot, request, options, capabilities, continues=continues))


def _hand_over(capabilities: ModelCapabilities, num_frames: int) -> HandOver:
    return HandOver(num_late_frames=num_late_frames(capabilities, num_frames), output=Path("handed-over.png"))


def _motion(
    shot: Shot,
    request: VideoRequest,
    options: FilmOptions,
    capabilities: ModelCapabilities,
    *,
    continues: bool,
) -> dict[str, object]:
    """How the shot's camera and energy reach the clip: what the model is told, and what a crop does after.

    Where a crop makes the move, the model is asked to hold its own camera still, whatever the move is: so
    another move never costs the sampling again. A model that makes camera moves makes all but those of a
    shot that goes on from a picture: these must begin with the whole of it.
    """
    by_crop = capabilities.takes_crop_path and (continues or not capabilities.takes_camera)
    motion: dict[str, object] = {}
    if capabilities.sampling is not None:
        steered = shot.model_copy(update={"camera": Camera.STATIC}) if by_crop else shot
        motion["sampling"] = sampling_for(steered, capabilities.sampling, options)
    if by_crop:
        motion["crop_path"] = _crop_path(shot, request, continues=continues)
        if motion["crop_path"] is None:
            motion["camera"] = Camera.STATIC
    return motion


def _crop_path(shot: Shot, request: VideoRequest, *, continues: bool) -> CropPath | None:
    return crop_path(
        shot.camera,
        shot.camera_speed,
        seconds=request.num_frames / request.fps,
        width=request.width,
        height=request.height,
        continues=continues,
    )


def _plan_keyframe(
    shot: Shot,
    request: VideoRequest,
    options: FilmOptions,
    *,
    painter: ModelManifest | None,
    image_digests: Mapping[Path, str],
    previous_clip: Step | None,
) -> tuple[Step | None, KeyframeRequest | None]:
    """The keyframe's step: from the clip before, the user's image, or the painter; none if not needed."""
    if previous_clip is not None:
        key = step_key(StepKind.LAST_FRAME, {}, inputs=(previous_clip.key,))
        return Step(kind=StepKind.LAST_FRAME, key=key, label="taking the frame before"), None
    image = shot.reference_image or options.reference_image
    size = {"width": request.width, "height": request.height}
    if image is not None:
        parameters: dict[str, object] = {"image_sha256": image_digests[image], **size}
    elif painter is not None:
        words = {"description": shot.description, "style": request.style}
        parameters = {**words, **size, "seed": request.seed, **identity(painter)}
    else:
        return None, None
    step = Step(
        kind=StepKind.KEYFRAME,
        key=step_key(StepKind.KEYFRAME, parameters),
        label="fitting the image" if image else "painting the keyframe",
    )
    return step, KeyframeRequest(
        model_id=painter.id if painter and image is None else "reference-image",
        description=shot.description,
        style=request.style,
        reference_image=image,
        width=request.width,
        height=request.height,
        seed=request.seed,
        output=Path("keyframe.png"),
    )


def _clip_steps(
    index: int, request: VideoRequest, video: ModelManifest, keyframe: Step | None
) -> tuple[Step | None, Step]:
    """The steps that make the clip; where latents are stored, sampling is one and decoding the other."""
    capabilities = _capabilities(video)
    inputs = (keyframe.key,) if keyframe else ()
    heeded: dict[str, object] = {
        **identity(video),
        **request.model_dump(mode="json", include={"width", "height", "num_frames"}),
    }
    if capabilities.takes_text:
        heeded |= {"description": request.description, "style": request.style}
    if capabilities.takes_camera:
        heeded |= {"camera": request.camera.value, "energy": request.energy}
        if request.camera_speed is not CameraSpeed.NORMAL and request.camera is not Camera.STATIC:
            heeded["camera_speed"] = request.camera_speed.value
    if capabilities.takes_seed:
        heeded["seed"] = request.seed
    decoding: dict[str, object] = {"fps": request.fps}
    if request.caption is not None:
        decoding["caption"] = request.caption.model_dump(mode="json")
    if request.crop_path is not None:
        decoding["crop_path"] = request.crop_path.model_dump(mode="json")
    if request.hand_over is not None:
        decoding["num_late_frames"] = request.hand_over.num_late_frames
    if request.sampling is not None:
        heeded["sampling"] = request.sampling.model_dump(mode="json", exclude={"decode_chunk_size"})
        decoding["decode_chunk_size"] = request.sampling.decode_chunk_size
    name = f"shot {index + 1}"
    if not capabilities.stores_latents:
        key = step_key(StepKind.CLIP, {**heeded, **decoding}, inputs=inputs)
        return None, Step(kind=StepKind.CLIP, key=key, label=f"rendering {name}")
    latents = Step(
        kind=StepKind.LATENTS,
        key=step_key(StepKind.LATENTS, heeded, inputs=inputs),
        label=f"sampling {name}",
    )
    key = step_key(StepKind.CLIP, {**identity(video), **decoding}, inputs=(latents.key,))
    return latents, Step(kind=StepKind.CLIP, key=key, label=f"decoding {name}")


# --- the film ------------------------------------------------------------------------------------


def _film_step(
    shots: list[ShotPlan],
    transitions: tuple[Transition, ...],
    container: str,
    record: FilmRecord | None,
) -> Step:
    parameters = {
        "transitions": [transition.model_dump(mode="json") for transition in transitions],
        "container": container,
        "record": record_parameters(record) if record else None,
    }
    key = step_key(StepKind.FILM, parameters, inputs=tuple(shot.clip.key for shot in shots))
    return Step(kind=StepKind.FILM, key=key, label="joining the film")
