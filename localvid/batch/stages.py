"""Which stage of a film comes next, with the model that it needs and how much work it is."""

from __future__ import annotations

from localvid.planning import FilmPlan
from localvid.schemas import FilmOptions, Stage, VideoRequest
from localvid.store import Next

_MILLION = 1e6


def first_stage(options: FilmOptions, plan: FilmPlan | None) -> Next:
    """What a new film begins with; `plan` is None where its storyboard is not written."""
    return (
        Next(Stage.STORYBOARD, options.llm, 1.0)
        if plan is None
        else stage_after(Stage.STORYBOARD, options, plan)
    )


def stage_after(done: Stage, options: FilmOptions, plan: FilmPlan) -> Next:
    """What follows a stage that is done and is not the last; a stage with nothing to do is left out."""
    if done is Stage.STORYBOARD and (count := painted(plan)):
        return Next(Stage.KEYFRAMES, options.keyframe_model, count)
    if done in (Stage.STORYBOARD, Stage.KEYFRAMES):
        return Next(Stage.CLIPS, options.model, clip_units(plan))
    return Next(Stage.JOIN, "", float(len(plan.shots)))


def stage_again(stage: Stage, options: FilmOptions, plan: FilmPlan) -> Next:
    """Keyframes or clips that were made and are gone."""
    return stage_after(Stage.STORYBOARD if stage is Stage.KEYFRAMES else Stage.KEYFRAMES, options, plan)


def painted(plan: FilmPlan) -> float:
    """How many keyframes are painted, or fitted from an image of the user's."""
    return float(sum(shot.keyframe_request is not None for shot in plan.shots))


def clip_units(plan: FilmPlan) -> float:
    """Millions of pixels in its clips; where a model samples, times its steps."""
    return sum(
        pixels_of(shot.clip_request)
        / _MILLION
        * (shot.clip_request.sampling.num_inference_steps if shot.clip_request.sampling else 1)
        for shot in plan.shots
    )


def pixels_of(request: VideoRequest) -> int:
    """Of all frames of a clip."""
    return request.width * request.height * request.num_frames
