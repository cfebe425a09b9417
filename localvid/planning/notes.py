"""What the user should be told before a film is made: where it comes out other than was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localvid.planning.continuity import MAX_IN_A_ROW, continuing_shots
from localvid.planning.length import frames_of, wanted_frames
from localvid.planning.moves import APPROXIMATIONS
from localvid.planning.shots import capabilities_of
from localvid.schemas import (
    Camera,
    FilmOptions,
    ModelCapabilities,
    ModelManifest,
    Shot,
    Storyboard,
    Transition,
    VideoRequest,
    usd,
)


def film_notes(
    storyboard: Storyboard,
    requests: Sequence[VideoRequest],
    transitions: Sequence[Transition],
    capabilities: ModelCapabilities,
    options: FilmOptions,
) -> Iterator[str]:
    """One sentence each; `requests` has the clip of every shot."""
    shots = list(zip(storyboard.shots, requests, strict=True))
    if options.duration_seconds is not None:
        yield from _length_notes(requests, transitions, capabilities, options.duration_seconds)
    elif options.num_frames is None:
        yield from _duration_notes(shots, capabilities)
    yield from _camera_notes(shots, capabilities)
    yield from _continuity_notes(storyboard, requests)
    asked = (options.transition or shot.transition for shot in storyboard.shots)
    if any(planned != wanted for planned, wanted in zip(transitions, asked, strict=False)):
        yield "the storyboard's transitions are shortened to fit the shots"


def cost_notes(
    prices: Sequence[tuple[ModelManifest, int]], requests: Sequence[VideoRequest]
) -> Iterator[str]:
    """What is paid for, each remote model with the number of its clips, before anything is sent."""
    for model, count in prices:
        if not count or model.price is None:
            continue
        clips = "one clip" if count == 1 else f"{count} clips"
        yield (
            f"{model.id} costs about {usd(count * model.price.usd_per_clip)} for {clips} ({model.price}); "
            "what is made already costs nothing again"
        )
        whole = capabilities_of(model).num_frames.maximum
        fewest = min(request.num_frames for request in requests if request.model_id == model.id)
        if fewest < whole:
            yield f"{model.id} makes {whole} frames a shot, of which the first {fewest} are kept at least"


def _length_notes(
    requests: Sequence[VideoRequest],
    transitions: Sequence[Transition],
    capabilities: ModelCapabilities,
    wanted_seconds: float,
) -> Iterator[str]:
    fps = requests[0].fps
    overlaps = sum(transition.overlap_frames(fps) for transition in transitions)
    frames = sum(request.most_frames for request in requests) - overlaps
    wanted = wanted_frames(wanted_seconds, fps)
    if frames != wanted:
        mend = "more shots or a lower --fps make" if frames < wanted else "fewer shots make"
        how = "longer" if frames < wanted else "shorter"
        shots = f"{len(requests)} shots" if len(requests) > 1 else "one shot"
        yield (
            f"the film lasts {frames / fps:.4g} s, not {wanted_seconds:g} s: {shots}, and "
            f"{requests[0].model_id} makes {capabilities.num_frames} frames a shot, here at {fps} fps; "
            f"{mend} it {how}"
        )


def _duration_notes(
    shots: Sequence[tuple[Shot, VideoRequest]], capabilities: ModelCapabilities
) -> Iterator[str]:
    request = shots[0][1]
    if capabilities.default_num_frames is not None:
        seconds = request.num_frames / request.fps
        if any(abs(shot.duration_seconds - seconds) > 0.5 for shot, _ in shots):
            yield (
                f"{request.model_id} makes {request.num_frames} frames a shot: {seconds:.1f} s at "
                f"{request.fps} fps, whatever duration the storyboard asks for; --duration asks for a length"
            )
        return
    for number, (shot, request) in enumerate(shots, start=1):
        if request.most_frames != frames_of(shot.duration_seconds, request.fps):
            yield (
                f"shot {number} lasts {request.most_frames / request.fps:g} s, not "
                f"{shot.duration_seconds:g} s: {request.model_id} makes {capabilities.num_frames} frames a "
                f"shot, here at {request.fps} fps"
            )


def _camera_notes(
    shots: Sequence[tuple[Shot, VideoRequest]], capabilities: ModelCapabilities
) -> Iterator[str]:
    moved = [(number, *shot) for number, shot in enumerate(shots, start=1) if shot[0].camera != Camera.STATIC]
    if not moved:
        return
    model_id = moved[0][2].model_id
    if not capabilities.takes_camera and not capabilities.takes_crop_path:
        yield (
            f"{model_id} takes no camera move: it is steered by the keyframe and the amount of motion only"
        )
        return
    cropped = [(number, shot, request.crop_path) for number, shot, request in moved if request.crop_path]
    if cropped:
        most = max(path.enlargement for _, _, path in cropped)
        yield (
            f"{_made_by_crop(capabilities)}, which enlarges the picture up to {most:.2f} times: "
            + ", ".join(f"shot {number} {_move(shot.camera)}" for number, shot, _ in cropped)
        )
    for number, shot, request in moved:
        if request.camera is not shot.camera:
            yield (
                f"shot {number}: its camera stands still: {shot.camera.value} would show more than the "
                "picture that it goes on from"
            )


def _made_by_crop(capabilities: ModelCapabilities) -> str:
    when = "over the picture that a shot goes on from" if capabilities.takes_camera else "after sampling"
    return f"camera moves are made {when} by a crop"


def _move(camera: Camera) -> str:
    approximation = APPROXIMATIONS.get(camera)
    return f"{camera.value} (as {approximation}: no parallax)" if approximation else camera.value


def _continuity_notes(storyboard: Storyboard, requests: Sequence[VideoRequest]) -> Iterator[str]:
    for number, (shot, continues) in enumerate(
        zip(storyboard.shots, continuing_shots(storyboard), strict=True), start=1
    ):
        if shot.continue_from_previous and not continues:
            yield (
                f"shot {number} begins with a keyframe of its own: {MAX_IN_A_ROW} shots in a row go on from "
                "the one before, and a fifth would hand on what they got wrong"
            )
    spread = sum(request.most_frames - request.least_frames for request in requests)
    if spread:
        yield (
            f"the film may come out up to {spread} frames shorter: a shot ends where its sharpest late frame "
            "opens the next"
        )
