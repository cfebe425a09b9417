"""A film's plan: every step that makes it, with requests, seeds and keys. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from localvid.errors import CapabilityError
from localvid.planning.capabilities import check_request
from localvid.planning.motion import SAMPLING_OPTIONS, sampling_for
from localvid.planning.record import film_record
from localvid.planning.steps import Step, StepKind, identity, step_key
from localvid.planning.transitions import check_transitions, fit_transitions
from localvid.schemas import (
    Caption,
    FilmOptions,
    FilmRecord,
    Frozen,
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
    orchestrator replaces `output`, `first_frame` and `latents`."""

    index: int
    """From 0."""
    shot: Shot
    keyframe: Step | None
    """None where the model makes the first frame from the words itself."""
    keyframe_request: KeyframeRequest | None
    """None where the keyframe is the last frame of the clip before."""
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

    Raises CapabilityError where the model cannot do what is asked, InvalidStoryboardError where
    transitions do not fit into their shots.
    """
    capabilities = _capabilities(video)
    _refuse_unheeded(options, video)
    shots: list[ShotPlan] = []
    for index in range(len(storyboard.shots)):
        shots.append(
            _plan_shot(
                index,
                storyboard,
                options,
                video=video,
                painter=painter,
                image_digests=image_digests,
                previous_clip=shots[-1].clip if shots else None,
            )
        )
        check_request(shots[-1].clip_request, capabilities)
    first = shots[0].clip_request
    container = options.output.suffix.lower() if options.output else ".mp4"
    transitions = _transitions(storyboard, options, shots, fps=first.fps)
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
        notes=tuple(_notes(storyboard, shots, transitions, capabilities, options)),
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
) -> ShotPlan:
    shot = storyboard.shots[index]
    request = _clip_request(index, storyboard, options, video)
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
    index: int, storyboard: Storyboard, options: FilmOptions, video: ModelManifest
) -> VideoRequest:
    shot, capabilities = storyboard.shots[index], _capabilities(video)
    fps = options.fps or capabilities.default_fps
    num_frames = (
        options.num_frames
        or capabilities.default_num_frames
        or capabilities.num_frames.clamp(max(1, round(shot.duration_seconds * fps)))
    )
    return VideoRequest(
        model_id=video.id,
        description=shot.description,
        style=storyboard.style,
        camera=shot.camera,
        energy=shot.energy,
        width=options.width or capabilities.default_width,
        height=options.height or capabilities.default_height,
        num_frames=num_frames,
        fps=fps,
        seed=shot.seed if shot.seed is not None else 0,
        sampling=sampling_for(shot, capabilities.sampling, options) if capabilities.sampling else None,
        caption=Caption(shot_number=index + 1, num_shots=len(storyboard.shots)) if options.captions else None,
        output=Path("clip.mp4"),
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
    if shot.continue_from_previous and previous_clip is not None:
        key = step_key(StepKind.LAST_FRAME, {}, inputs=(previous_clip.key,))
        return Step(kind=StepKind.LAST_FRAME, key=key, label="taking the last frame"), None
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
    if capabilities.takes_seed:
        heeded["seed"] = request.seed
    decoding: dict[str, object] = {"fps": request.fps}
    if request.caption is not None:
        decoding["caption"] = request.caption.model_dump(mode="json")
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
        "record": record.model_dump(mode="json") if record else None,
    }
    key = step_key(StepKind.FILM, parameters, inputs=tuple(shot.clip.key for shot in shots))
    return Step(kind=StepKind.FILM, key=key, label="joining the film")


def _transitions(
    storyboard: Storyboard, options: FilmOptions, shots: list[ShotPlan], *, fps: int
) -> tuple[Transition, ...]:
    """Between the shots; what a person asks for must fit, what a model wrote is made to fit."""
    wanted = tuple(options.transition or shot.transition for shot in storyboard.shots[:-1])
    num_frames = [plan.clip_request.num_frames for plan in shots]
    if storyboard.written_by and options.transition is None:
        return fit_transitions(wanted, num_frames, fps=fps)
    check_transitions(wanted, num_frames, fps=fps)
    return wanted


def _notes(
    storyboard: Storyboard,
    shots: list[ShotPlan],
    transitions: tuple[Transition, ...],
    capabilities: ModelCapabilities,
    options: FilmOptions,
) -> Iterator[str]:
    """What comes out other than the storyboard asks, in words for the user."""
    if capabilities.default_num_frames is not None and options.num_frames is None:
        request = shots[0].clip_request
        seconds = request.num_frames / request.fps
        if any(abs(plan.shot.duration_seconds - seconds) > 0.5 for plan in shots):
            yield (
                f"{request.model_id} makes {request.num_frames} frames a shot: {seconds:.1f} s at "
                f"{request.fps} fps, whatever duration the storyboard asks for"
            )
    elif options.num_frames is None:
        for plan in shots:
            request, wanted_seconds = plan.clip_request, plan.shot.duration_seconds
            if request.num_frames != max(1, round(wanted_seconds * request.fps)):
                yield (
                    f"shot {plan.index + 1} lasts {request.num_frames / request.fps:g} s, not "
                    f"{wanted_seconds:g} s: {request.model_id} makes {capabilities.num_frames} frames a "
                    f"shot, here at {request.fps} fps"
                )
    if not capabilities.takes_camera and any(plan.shot.camera != "static" for plan in shots):
        yield (
            f"{shots[0].clip_request.model_id} takes no camera move: "
            "it is steered by the keyframe and the amount of motion only"
        )
    asked = (options.transition or shot.transition for shot in storyboard.shots)
    if any(planned != wanted for planned, wanted in zip(transitions, asked, strict=False)):
        yield "the storyboard's transitions are shortened to fit the shots"
