"""One shot's plan: the steps that make its keyframe, its latents and its clip, with requests and keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from localvid.errors import CapabilityError
from localvid.planning.continuity import num_late_frames
from localvid.planning.length import film_fps, num_frames_of
from localvid.planning.motion import sampling_for
from localvid.planning.moves import crop_path
from localvid.planning.steps import Step, StepKind, identity, step_key
from localvid.schemas import (
    Camera,
    CameraSpeed,
    Caption,
    CropPath,
    FilmOptions,
    Frozen,
    HandOver,
    KeyframeRequest,
    ModelCapabilities,
    ModelManifest,
    Shot,
    Storyboard,
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


def capabilities_of(video: ModelManifest) -> ModelCapabilities:
    """Raises CapabilityError for what is no video model."""
    if video.capabilities is None:
        raise CapabilityError(
            f"{video.id} makes no clips", hint="choose a video model: `localvid list-models`"
        )
    return video.capabilities


def plan_shot(
    index: int,
    storyboard: Storyboard,
    options: FilmOptions,
    *,
    video: ModelManifest,
    instead: ModelManifest | None = None,
    painter: ModelManifest | None,
    image_digests: Mapping[Path, str],
    previous_clip: Step | None,
    hands_over: bool,
) -> ShotPlan:
    """`previous_clip` is the one that the shot goes on from, if it does. `instead` makes the shot as `video`
    would: of its size, its speed and its number of frames."""
    shot, continues = storyboard.shots[index], previous_clip is not None
    request = _clip_request(index, storyboard, options, video, continues=continues, hands_over=hands_over)
    if instead is not None:
        same: dict[str, object] = request.model_dump(include={"width", "height", "fps", "num_frames"})
        if request.fps == capabilities_of(instead).default_fps:
            same["fps"] = options.fps  # nobody asked for it: what the model is told stays its default
        matched = options.model_copy(update=same)
        request = _clip_request(
            index, storyboard, matched, instead, continues=continues, hands_over=hands_over
        )
        video = instead
    keyframe, keyframe_request = _plan_keyframe(
        shot,
        request.model_copy(update={"setting": _setting(storyboard, painter)}),
        options,
        painter=painter,
        image_digests=image_digests,
        previous_clip=previous_clip,
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
    shot, capabilities = storyboard.shots[index], capabilities_of(video)
    num_frames = num_frames_of(shot, options, capabilities, hands_over=hands_over)
    request = VideoRequest(
        model_id=video.id,
        description=shot.description,
        style=storyboard.look_of(index),
        setting=_setting(storyboard, video),
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
        parameters = {**_words(request), **size, "seed": request.seed, **identity(painter)}
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
        setting=request.setting,
        reference_image=image,
        width=request.width,
        height=request.height,
        seed=request.seed,
        output=Path("keyframe.png"),
    )


def _setting(storyboard: Storyboard, model: ModelManifest | None) -> str:
    return storyboard.setting if model is not None and model.reads_setting else ""


def _words(request: VideoRequest) -> dict[str, object]:
    """What a model that takes text heeds."""
    words: dict[str, object] = {"description": request.description, "style": request.style}
    return words | ({"setting": request.setting} if request.setting else {})


def _clip_steps(
    index: int, request: VideoRequest, video: ModelManifest, keyframe: Step | None
) -> tuple[Step | None, Step]:
    """The steps that make the clip; where latents are stored, sampling is one and decoding the other."""
    capabilities = capabilities_of(video)
    inputs = (keyframe.key,) if keyframe else ()
    heeded: dict[str, object] = {
        **identity(video),
        **request.model_dump(mode="json", include={"width", "height", "num_frames"}),
    }
    if capabilities.takes_text:
        heeded |= _words(request)
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
